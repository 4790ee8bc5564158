/** How many subtasks may run at once. Each claim in progress reserves as many slots as it may fill, so that claims never exceed them. */
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

  /** Takes up to `wanted` free slots. Returns how many. */
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
