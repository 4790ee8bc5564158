import type { Rows, Sql, Statement } from '../domain/ports/sql.ts';

export type Sent = { text: string; values: unknown[] };
export type Run = (sent: Sent) => Promise<Rows<unknown[]>>;

/* oxlint-disable unicorn/no-thenable, promise/no-callback-in-promise -- a promise of our own */
/** A promise that starts when it is first awaited; until then it can become a part of another statement. */
class Lazy implements Promise<Rows<unknown[]>> {
  readonly [Symbol.toStringTag] = 'Statement';
  readonly strings: readonly string[];
  readonly values: readonly unknown[];
  readonly #run: Run;
  #answer: Promise<Rows<unknown[]>> | undefined;

  constructor(strings: readonly string[], values: readonly unknown[], run: Run) {
    this.strings = strings;
    this.values = values;
    this.#run = run;
  }

  #begun() {
    this.#answer ??= this.#run(compile(this));
    return this.#answer;
  }
  // biome-ignore lint/suspicious/noThenProperty: this is a promise
  then: Promise<Rows<unknown[]>>['then'] = (done, failed) => this.#begun().then(done, failed);
  catch: Promise<Rows<unknown[]>>['catch'] = (failed) => this.#begun().catch(failed);
  finally: Promise<Rows<unknown[]>>['finally'] = (done) => this.#begun().finally(done);
}

const compile = ({ strings, values }: Lazy, sent: Sent = { text: '', values: [] }): Sent => {
  sent.text += strings[0];
  values.forEach((value, at) => {
    if (value === undefined) throw new TypeError(`The value after "${strings[at]?.slice(-60)}" is undefined; null is the absent value`);
    if (value instanceof Lazy) compile(value, sent);
    else sent.text += `$${sent.values.push(value)}`;
    sent.text += strings[at + 1];
  });
  return sent;
};

/** Creates the template tag for statements, which are sent with `run`. */
export const createSql = (run: Run, requestId: string | null): Sql => {
  const make = (strings: readonly string[], values: readonly unknown[]) => new Lazy(strings, values, run) as unknown as Statement;
  const tag = (strings: TemplateStringsArray, ...values: readonly unknown[]) => make(strings, values);
  return Object.assign(tag, { unsafe: (text: string) => make([text], []), request_id: requestId }) as Sql;
};
