const LONGEST = 65_536;

/** The final state of a line that carriage returns overwrite. A carriage return before the line feed belongs to the line end. */
export const folded = (line: string): string => {
  const body = line.replace(/\r+\n?$|\n$/, '');
  const at = body.lastIndexOf('\r');
  return at === -1 ? line : line.slice(at + 1);
};

/** Reduces lines that are overwritten, such as progress bars, to their last state, even if they arrive in pieces. */
export class ProgressLines {
  #line = '';
  /** The beginning of the line was already returned, so text that overwrites it must begin with a carriage return. */
  #isBegun = false;
  #isOverwritten = false;

  /** Returns the complete lines. */
  write(text: string): string {
    const at = text.lastIndexOf('\n') + 1;
    const complete = at === 0 ? '' : this.#complete(text.slice(0, at));
    const rest = this.#line + text.slice(at);
    this.#line = folded(rest);
    this.#isOverwritten ||= this.#line !== rest;
    return this.#line.length > LONGEST ? complete + this.end() : complete;
  }

  /** Returns the incomplete line, unless it is being overwritten. */
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
