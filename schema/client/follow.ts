import { AROUND, backoffMs, jittered } from './backoff.ts';
import { type ApiError, type Client, isTransient } from './client.ts';
import { EventOrder } from './event-order.ts';
import type { Event } from '../events.ts';
import type { ServerFrame } from '../live.ts';
import { keepSocket, type SocketClocks } from './live-socket.ts';
import { WakeableTimer } from './wakeable-timer.ts';

export type FollowOptions = {
  /** Starts with the event after this sequence number. */
  afterSeq?: number;
  /** Stops following, without an error. */
  signal?: AbortSignal;
  /** If omitted, the WebSocket of the browser or of Node; null follows by HTTP only. */
  WebSocket?: typeof WebSocket | null;
  /** The interval of polls without push, up to five times as long while nothing happens. A silent live socket is polled less often. */
  pollMs?: number;
  /** How long to wait for a missing event, when a later one has arrived, before it is read by HTTP. */
  gapMs?: number;
  /** How long a live socket may be silent before a poll by HTTP, up to eight times as long while polls find nothing. */
  quietMs?: number;
  /** Called for each poll that fails with a transient error, with the number of failures in a row; may throw to stop following. */
  onUnavailable?: (error: ApiError, tries: number) => void;
  clocks?: Partial<SocketClocks>;
};

type Followed = Pick<Client, 'listEvents' | 'createTicket'>;

const PAGE = 500;
const LONGEST_RETRY_MS = 10_000;
const RETRY = { baseMs: 250, maxMs: LONGEST_RETRY_MS, jitter: AROUND };
const ENDS: readonly string[] = ['task.completed', 'task.failed', 'task.cancelled'];

/**
 * The events of a task in order, each once, as they happen: pushed if possible, otherwise polled. Ends after the event that ended the
 * task, unless a retry followed it. Throws errors that are not transient, such as task_not_found.
 */
export async function* followTask(client: Followed, taskId: string, options: FollowOptions = {}): AsyncGenerator<Event, void, undefined> {
  const { afterSeq = 0, signal } = options;
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  // Starts one event earlier, because that event shows whether the task had already ended.
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
  /** The sequence number of the task's latest event at the last poll. */
  #lastSeq = -1;
  #isLive = false;
  #isConnecting = false;
  /** When to poll: immediately, at `gapAt` for a missing event, or at `pollAt` without push; never before `notBefore`. */
  #isUrgent = true;
  #gapAt = Infinity;
  #pollAt = 0;
  #notBefore = 0;
  #failures = 0;
  #emptyPolls = 0;

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

  /** Resolves when more events may be available. */
  async more(): Promise<void> {
    const now = performance.now();
    this.#gapAt = this.#order.isMissing() ? Math.min(this.#gapAt, now + (this.#options.gapMs ?? 300)) : Infinity;
    const wanted = this.#isUrgent ? 0 : Math.min(this.#gapAt, this.#pollAt);
    const wait = Math.max(this.#notBefore, wanted) - now;
    if (wait <= 0) return this.#poll();
    if (!this.#isConnecting) this.#connect();
    await this.#timer.wait(wait, this.#signal);
  }

  async #poll(): Promise<void> {
    const query = { after_seq: this.#order.given, limit: PAGE };
    try {
      const { items, last_seq } = await this.#client.listEvents({ params: { task_id: this.#taskId }, query }, { signal: this.#signal });
      this.#order.take(items);
      this.#order.observe(last_seq);
      this.#polled(last_seq, items.length);
    } catch (error) {
      if (this.#signal.aborted) return;
      if (!isTransient(error)) throw error;
      this.#failures++;
      this.#options.onUnavailable?.(error, this.#failures);
      this.#notBefore = performance.now() + backoffMs(this.#failures, RETRY, Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_MS));
    }
  }

  #polled(lastSeq: number, found: number): void {
    this.#lastSeq = lastSeq;
    this.#isUrgent = lastSeq > this.#order.given + found;
    this.#gapAt = Infinity;
    this.#failures = 0;
    this.#emptyPolls = found > 0 ? 0 : this.#emptyPolls + 1;
    this.#pollAt = performance.now() + this.#pollMs();
  }

  /** A silent live socket may have lost its subscription on the server, which the server reports only when the client sends a frame. */
  #pollMs(): number {
    const { pollMs = 1_000, quietMs = 4_000 } = this.#options;
    return jittered(this.#isLive ? quietMs * Math.min(8, 2 ** this.#emptyPolls) : pollMs * Math.min(5, 1.5 ** this.#emptyPolls));
  }

  #pollLater(): void {
    this.#emptyPolls = 0;
    this.#pollAt = performance.now() + this.#pollMs();
  }

  #connect(): void {
    this.#isConnecting = true;
    const topic = `task:${this.#taskId}` as const;
    void keepSocket({
      ticket: (signal) => this.#client.createTicket({}, { signal }),
      // Restores a subscription that a Redis flush removed, and replays lost events; a ping would do only the first.
      say: () => ({ action: 'subscribe', topic, after_seq: this.#order.latest }),
      onFrame: (frame) => this.#receive(frame),
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

  #receive(frame: ServerFrame): void {
    this.#pollLater();
    if (frame.type === 'events') this.#order.take(frame.events);
    else if (frame.type === 'subscribed') this.#order.observe(frame.last_seq ?? 0);
    else if (frame.type === 'resync') {
      this.#order.observe(frame.after_seq + 1);
      this.#isUrgent = true;
    }
    this.#timer.wake();
  }
}
