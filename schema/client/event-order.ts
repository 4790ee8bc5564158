import type { Event } from '../events.ts';

/** What is further ahead is not kept: it is read again when it is its turn. */
const WINDOW = 500;

/** Events of one task as they come in: twice, in another order, some not at all. Gives them out in order, each once. */
export class EventOrder {
  readonly #waiting = new Map<number, Event>();
  #given: number;
  #latest: number;

  constructor(afterSeq: number) {
    this.#given = afterSeq;
    this.#latest = afterSeq;
  }

  /** The number of the event that was given out last. */
  get given(): number {
    return this.#given;
  }

  /** The highest number that was heard of. */
  get latest(): number {
    return this.#latest;
  }

  take(events: readonly Event[]): void {
    for (const event of events) {
      this.heardOf(event.seq);
      if (event.seq > this.#given && event.seq <= this.#given + WINDOW) this.#waiting.set(event.seq, event);
    }
  }

  heardOf(seq: number): void {
    this.#latest = Math.max(this.#latest, seq);
  }

  next(): Event | null {
    const event = this.#waiting.get(this.#given + 1);
    if (event === undefined) return null;
    this.#waiting.delete(++this.#given);
    return event;
  }

  /** There is a next one, and it is not here. */
  isMissing(): boolean {
    return this.#latest > this.#given && !this.#waiting.has(this.#given + 1);
  }
}
