const LONGEST = 65_536;

/** Of a line that carriage returns overwrite, what stands there in the end. A return before the line feed belongs to the line's end. */
export const folded = (line: string): string => {
  const body = line.replace(/\r+\n?$|\n$/, '');
  const at = body.lastIndexOf('\r');
  return at === -1 ? line : line.slice(at + 1);
};

/** Keeps of lines that are overwritten, such as progress bars, the last state alone, in however many pieces they come. */
export class ProgressLines {
  #line = '';
  /** The beginning of the line was passed on already: what overwrites it must say so. */
  #isBegun = false;
  #isOverwritten = false;

  /** Answers the lines that are complete. */
  write(text: string): string {
    const at = text.lastIndexOf('\n') + 1;
    const complete = at === 0 ? '' : this.#complete(text.slice(0, at));
    const rest = this.#line + text.slice(at);
    this.#line = folded(rest);
    this.#isOverwritten ||= this.#line !== rest;
    return this.#line.length > LONGEST ? complete + this.end() : complete;
  }

  /** Answers of an open line what nothing has begun to overwrite. */
  flush(): string {
    return this.#isOverwritten || this.#line.includes('\r') ? '' : this.end();
  }

  end(): string {
    const rest = (this.#isBegun && this.#isOverwritten ? '\r' : '') + this.#line;
    this.#line = '';
    this.#isBegun ||= rest !== '';
    this.#isOverwritten = false;
    return rest;
  }

  #complete(text: string): string {
    const [first = '', ...others] = (this.#line + text).split(/(?<=\n)/);
    const isOverwritten = this.#isOverwritten || folded(first) !== first;
    const begin = this.#isBegun && isOverwritten ? '\r' : '';
    this.#line = '';
    this.#isBegun = false;
    this.#isOverwritten = false;
    return begin + [first, ...others].map(folded).join('');
  }
}
