type Item = { member: string; score: number };

const order = (a: Item, b: Item) =>
  a.score === b.score ? Buffer.compare(Buffer.from(a.member), Buffer.from(b.member)) : a.score - b.score;

/** Members ordered by score, then by bytes. */
export class SortedSet {
  readonly #scores = new Map<string, number>();
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  score(member: string): number | undefined {
    return this.#scores.get(member);
  }

  set(member: string, score: number): void {
    this.delete(member);
    this.#scores.set(member, score);
    const item = { member, score };
    this.#items.splice(this.#place(item), 0, item);
  }

  delete(member: string): boolean {
    const score = this.#scores.get(member);
    if (score === undefined) return false;
    this.#scores.delete(member);
    this.#items.splice(this.#place({ member, score }), 1);
    return true;
  }

  /** In ascending order; the caller must not change it. */
  items(): readonly Item[] {
    return this.#items;
  }

  /** The index of an item, or where it would be inserted. */
  #place(item: Item): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(this.#items[middle] as Item, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
