import type { Event } from '../events.ts';

/** Events further ahead than this are not kept; they are read again later. */
const WINDOW = 500;

/** Orders the events of a task, which may arrive twice, out of order or not at all. Returns them in order, each once. */
export class EventOrder {
  readonly #waiting = new Map<number, Event>();
  #given: number;
  #latest: number;

  constructor(afterSeq: number) {
    this.#given = afterSeq;
    this.#latest = afterSeq;
  }

  /** The sequence number of the last event that was returned. */
  get given(): number {
    return this.#given;
  }

  /** The highest known sequence number. */
  get latest(): number {
    return this.#latest;
  }

  take(events: readonly Event[]): void {
    for (const event of events) {
      this.observe(event.seq);
      if (event.seq > this.#given && event.seq <= this.#given + WINDOW) this.#waiting.set(event.seq, event);
    }
  }

  observe(seq: number): void {
    this.#latest = Math.max(this.#latest, seq);
  }

  next(): Event | null {
    const event = this.#waiting.get(this.#given + 1);
    if (event === undefined) return null;
    this.#waiting.delete(++this.#given);
    return event;
  }

  /** Whether the next event exists but has not arrived. */
  isMissing(): boolean {
    return this.#latest > this.#given && !this.#waiting.has(this.#given + 1);
  }
}
