import { clip } from '../report/clean.ts';

/** How much more is kept than is shown: a secret at the cut is recognized only if it is complete. */
const MARGIN = 16_384;

/** The end of a command's output, as text. */
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
