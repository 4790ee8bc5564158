import { AROUND, backoffMs, jittered } from './backoff.ts';
import { type ApiError, type Client, isTransient } from './client.ts';
import { EventOrder } from './event-order.ts';
import type { Event } from '../events.ts';
import type { ServerFrame } from '../live.ts';
import { keepSocket, type SocketClocks } from './live-socket.ts';
import { WakeableTimer } from './wakeable-timer.ts';

export type FollowOptions = {
  /** Begins with the event after this number. */
  afterSeq?: number;
  /** Ends the following, without an error. */
  signal?: AbortSignal;
  /** Left out, that of the browser or of Node; null follows by HTTP alone. */
  WebSocket?: typeof WebSocket | null;
  /** Between looks while there is no push, up to five times as much while nothing happens; a live socket that is silent is checked more seldom. */
  pollMs?: number;
  /** How long an event that was overtaken is waited for before it is read by HTTP. */
  gapMs?: number;
  /** How long a live socket may say nothing before it is looked by HTTP; eight times as long while that finds nothing. */
  quietMs?: number;
  /** Told of each look that failed for a passing reason, and how many did so in a row; what it throws ends the following. */
  onAway?: (error: ApiError, tries: number) => void;
  clocks?: Partial<SocketClocks>;
};

type Followed = Pick<Client, 'listEvents' | 'createTicket'>;

const PAGE = 500;
const LONGEST_RETRY_MS = 10_000;
const RETRY = { baseMs: 250, maxMs: LONGEST_RETRY_MS, jitter: AROUND };
const ENDS: readonly string[] = ['task.completed', 'task.failed', 'task.cancelled'];

/**
 * The events of a task in order, each once, as they happen: pushed where there is push, else by looking again and again. Ends after
 * the event that ended the task, if no retry followed it. Throws what the API refuses, such as a task that is not there.
 */
export async function* followTask(client: Followed, taskId: string, options: FollowOptions = {}): AsyncGenerator<Event, void, undefined> {
  const { afterSeq = 0, signal } = options;
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  // From one before: whether the task had ended by then is part of what has to be known.
  const follower = new Follower(client, taskId, new EventOrder(Math.max(0, afterSeq - 1)), options, stop.signal);
  try {
    while (!stop.signal.aborted && !follower.isOver()) {
      const event = follower.next();
      if (event === null) await follower.more();
      else if (event.seq > afterSeq) yield event;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    abort();
  }
}

class Follower {
  readonly #client: Followed;
  readonly #taskId: string;
  readonly #order: EventOrder;
  readonly #options: FollowOptions;
  readonly #signal: AbortSignal;
  readonly #timer = new WakeableTimer();
  #hasEnded = false;
  /** The number of the task's latest event at the last look. */
  #lastSeq = -1;
  #isLive = false;
  #isConnecting = false;
  /** When to look by HTTP: at once, because something is missing, or because nothing is pushed; never before. */
  #isUrgent = true;
  #gapAt = Infinity;
  #pollAt = 0;
  #notBefore = 0;
  #failures = 0;
  #emptyLooks = 0;

  constructor(client: Followed, taskId: string, order: EventOrder, options: FollowOptions, signal: AbortSignal) {
    this.#client = client;
    this.#taskId = taskId;
    this.#order = order;
    this.#options = options;
    this.#signal = signal;
  }

  isOver(): boolean {
    return this.#hasEnded && this.#lastSeq === this.#order.given;
  }

  next(): Event | null {
    const event = this.#order.next();
    if (event === null) return null;
    if (event.type === 'task.retried') this.#hasEnded = false;
    if (ENDS.includes(event.type)) {
      this.#hasEnded = true;
      this.#isUrgent ||= this.#lastSeq < event.seq;
    }
    return event;
  }

  /** Resolves when there may be more. */
  async more(): Promise<void> {
    const now = performance.now();
    this.#gapAt = this.#order.isMissing() ? Math.min(this.#gapAt, now + (this.#options.gapMs ?? 300)) : Infinity;
    const wanted = this.#isUrgent ? 0 : Math.min(this.#gapAt, this.#pollAt);
    const wait = Math.max(this.#notBefore, wanted) - now;
    if (wait <= 0) return this.#look();
    if (!this.#isConnecting) this.#connect();
    await this.#timer.wait(wait, this.#signal);
  }

  async #look(): Promise<void> {
    const query = { after_seq: this.#order.given, limit: PAGE };
    try {
      const { items, last_seq } = await this.#client.listEvents({ params: { task_id: this.#taskId }, query }, { signal: this.#signal });
      this.#order.take(items);
      this.#order.heardOf(last_seq);
      this.#looked(last_seq, items.length);
    } catch (error) {
      if (this.#signal.aborted) return;
      if (!isTransient(error)) throw error;
      this.#failures++;
      this.#options.onAway?.(error, this.#failures);
      this.#notBefore = performance.now() + backoffMs(this.#failures, RETRY, Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_MS));
    }
  }

  #looked(lastSeq: number, found: number): void {
    this.#lastSeq = lastSeq;
    this.#isUrgent = lastSeq > this.#order.given + found;
    this.#gapAt = Infinity;
    this.#failures = 0;
    this.#emptyLooks = found > 0 ? 0 : this.#emptyLooks + 1;
    this.#pollAt = performance.now() + this.#pollMs();
  }

  /** A live socket that says nothing may be deaf: the server has lost who is subscribed, and tells only whoever asks. */
  #pollMs(): number {
    const { pollMs = 1_000, quietMs = 4_000 } = this.#options;
    return jittered(this.#isLive ? quietMs * Math.min(8, 2 ** this.#emptyLooks) : pollMs * Math.min(5, 1.5 ** this.#emptyLooks));
  }

  #pollLater(): void {
    this.#emptyLooks = 0;
    this.#pollAt = performance.now() + this.#pollMs();
  }

  #connect(): void {
    this.#isConnecting = true;
    const topic = `task:${this.#taskId}` as const;
    void keepSocket({
      ticket: (signal) => this.#client.createTicket({}, { signal }),
      // It mends what a flush of Redis took, and brings what was lost: a ping would do the first only.
      say: () => ({ action: 'subscribe', topic, after_seq: this.#order.latest }),
      onFrame: (frame) => this.#heard(frame),
      onLive: (isLive) => {
        this.#isLive = isLive;
        this.#pollLater();
        this.#timer.wake();
      },
      signal: this.#signal,
      WebSocket: this.#options.WebSocket,
      clocks: this.#options.clocks,
    });
  }

  #heard(frame: ServerFrame): void {
    this.#pollLater();
    if (frame.type === 'events') this.#order.take(frame.events);
    else if (frame.type === 'subscribed') this.#order.heardOf(frame.last_seq ?? 0);
    else if (frame.type === 'resync') {
      this.#order.heardOf(frame.after_seq + 1);
      this.#isUrgent = true;
    }
    this.#timer.wake();
  }
}
