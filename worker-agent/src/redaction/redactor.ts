import type { Json } from '../../../schema/json.ts';
import { Automaton } from './automaton.ts';
import { formsOf, LEAST_CHARACTERS } from './forms.ts';
import { RedactedStream } from './stream.ts';

const isLineBreak = (byte: number) => byte === 10 || byte === 13;
const bytesOf = (forms: Iterable<string>) => [...forms].filter(({ length }) => length >= LEAST_CHARACTERS).map((form) => Buffer.from(form));

/** Replaces secrets, in each form in which they may be printed, before data leaves the worker or is written to its disk. */
export class Redactor {
  readonly #secrets = new Set<string>();
  /** Whether a secret looks like a number. If none does, numbers need no check; a value may contain a million of them. */
  #hasNumber = false;
  #automata: readonly Automaton[] = [];

  constructor(secrets: Iterable<string> = []) {
    this.add(...secrets);
  }

  /** Open streams use the new secrets from their next write. */
  add(...secrets: string[]): void {
    const before = this.#secrets.size;
    for (const secret of secrets.map((it) => it.trim().toWellFormed())) if (secret.length >= LEAST_CHARACTERS) this.#secrets.add(secret);
    if (this.#secrets.size === before) return;
    this.#hasNumber = [...this.#secrets].some((secret) => /^[\d.e+-]+$/i.test(secret));
    const forms = [...this.#secrets].map(formsOf);
    const exact = new Set(forms.flatMap((it) => it.exact));
    const wrapped = new Set(forms.flatMap((it) => it.wrapped));
    this.#automata = [new Automaton(bytesOf(exact)), new Automaton(bytesOf(wrapped), isLineBreak)];
  }

  /** For output that arrives in pieces. */
  stream(): RedactedStream {
    return new RedactedStream(() => this.#automata);
  }

  bytes(bytes: Uint8Array): Buffer<ArrayBuffer> {
    const stream = this.stream();
    return Buffer.concat([stream.write(bytes), stream.end()]);
  }

  text(text: string): string {
    if (text.length < LEAST_CHARACTERS) return text;
    const bytes = Buffer.from(text);
    const redacted = this.bytes(bytes);
    return redacted.equals(bytes) ? text : redacted.toString();
  }

  #number(value: number): Json {
    if (!this.#hasNumber) return value;
    const text = String(value);
    const redacted = this.text(text);
    return redacted === text ? value : redacted;
  }

  /** Redacts values and keys. A number that is a secret becomes a string. */
  json(value: Json): Json {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return this.#number(value);
    if (Array.isArray(value)) return value.map((item) => this.json(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.json(item)]));
  }
}
