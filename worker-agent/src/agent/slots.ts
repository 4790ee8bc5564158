/** How many subtasks may run at once. Each open claim reserves what it may bring, so that two claims never bring too many. */
export class Slots {
  readonly #capacity: number;
  readonly #onFree: () => void;
  #used = 0;

  constructor(capacity: number, onFree: () => void) {
    this.#capacity = capacity;
    this.#onFree = onFree;
  }

  get free(): number {
    return this.#capacity - this.#used;
  }

  /** Takes up to `wanted` free slots; answers how many. */
  reserve(wanted: number): number {
    const taken = Math.max(0, Math.min(wanted, this.free));
    this.#used += taken;
    return taken;
  }

  release(count: number): void {
    if (count === 0) return;
    this.#used -= count;
    this.#onFree();
  }
}
