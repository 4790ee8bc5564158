import { clip } from '../report/clean.ts';

/** More than is shown: a secret at the cut is known as one only when it is whole. */
const MARGIN = 16_384;

/** The end of what was printed, as text. */
export class Tail {
  readonly #characters: number;
  #bytes = Buffer.alloc(0);

  constructor(characters = 2_000) {
    this.#characters = characters;
  }

  add(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]).subarray(-(this.#characters * 4 + MARGIN));
  }

  text(redact: (text: string) => string): string {
    return clip(redact(this.#bytes.toString('utf8')).trim(), this.#characters, 'tail');
  }
}
