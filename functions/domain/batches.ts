import { setImmediate as nextTurn } from 'node:timers/promises';
import { withTimeout } from '../../schema/client/with-timeout.ts';
import { AppError } from '../../schema/errors.ts';

type Waiting<T, R> = { request: T; key: string; resolve(answer: R | PromiseLike<R>): void; reject(error: unknown): void };

export type BatchOptions<T, R> = {
  /** Requests of one group share a batch. */
  groupOf(request: T): string;
  /** Two requests with the same key never share a batch. */
  keyOf(request: T): string;
  /** What a request adds to a batch of at most `mostWeight`. */
  weightOf(request: T): number;
  mostWeight: number;
  /** Whether nobody waits for a request any more; such a request is not begun. */
  isAbandoned(request: T): boolean;
  /** Requests that wait, in all groups; one more is refused with `unavailable`. */
  mostWaiting: number;
  /** Carries out a batch. The next batch of the group begins when this returns, or takes long; each request has its own answer. */
  run(requests: readonly T[]): Promise<readonly Promise<R>[]>;
  /** Whether the requests of a batch that failed with this error are worth a try each by itself. */
  isWorthATryAlone(requests: readonly T[], error: unknown): boolean;
};

/** A lock that somebody holds, a deadlock, a serialization failure, a statement that takes too long: one request may cause it for all. */
const CAUSED_BY_ONE = new Set(['55P03', '40P01', '40001', '57014']);

/** Where a batch takes longer, because it waits for a lock that somebody holds, the next one begins beside it. */
const PATIENCE_MS = 300;

/** Whether a statement for several requests may have failed because of one of them, not because the database is unavailable. */
export const isCausedByOne = (error: unknown, isUnavailable: boolean): boolean =>
  !isUnavailable || CAUSED_BY_ONE.has((error as { code?: string }).code ?? '');

/** The requests of one group that wait, in the order in which they came. */
class Queue<T, R> {
  readonly #options: BatchOptions<T, R>;
  #waiting: Waiting<T, R>[] = [];

  constructor(options: BatchOptions<T, R>) {
    this.#options = options;
  }

  get length() {
    return this.#waiting.length;
  }

  push(waiting: Waiting<T, R>) {
    this.#waiting.push(waiting);
  }

  /** Removes and refuses the requests for which nobody waits any more; returns how many there were. */
  dropAbandoned(): number {
    const { isAbandoned } = this.#options;
    const abandoned = this.#waiting.filter(({ request }) => isAbandoned(request));
    for (const { reject } of abandoned)
      reject(new AppError('unavailable', 'The caller closed the connection, so the request was not carried out'));
    this.#waiting = this.#waiting.filter((it) => !abandoned.includes(it));
    return abandoned.length;
  }

  /** Removes the requests of the next batch: the first of each key, as many as are light enough. */
  takeBatch(): Waiting<T, R>[] {
    const { weightOf, mostWeight } = this.#options;
    const keys = new Set<string>();
    const batch: Waiting<T, R>[] = [];
    const rest: Waiting<T, R>[] = [];
    let weight = 0;
    for (const it of this.#waiting) {
      const { request } = it;
      const fits = batch.length === 0 || weight + weightOf(request) <= mostWeight;
      if (fits && !keys.has(it.key)) {
        weight += weightOf(request);
        batch.push(it);
      } else rest.push(it);
      keys.add(it.key); // what comes later with this key stays behind it
    }
    this.#waiting = rest;
    return batch;
  }
}

class Batches<T, R> {
  readonly #options: BatchOptions<T, R>;
  readonly #queues = new Map<string, Queue<T, R>>();
  readonly #busy = new Set<string>();
  #waiting = 0;

  constructor(options: BatchOptions<T, R>) {
    this.#options = options;
  }

  send(request: T): Promise<R> {
    const { mostWaiting, groupOf, keyOf } = this.#options;
    return new Promise((resolve, reject) => {
      if (this.#waiting >= mostWaiting)
        return reject(new AppError('unavailable', 'Too many requests are waiting; retry the request shortly'));
      const group = groupOf(request);
      const queue = this.#queues.get(group) ?? new Queue(this.#options);
      queue.push({ request, key: keyOf(request), resolve, reject });
      this.#queues.set(group, queue);
      this.#waiting++;
      queueMicrotask(() => void this.#flush(group, queue));
    });
  }

  /** Carries out one batch of a group after the other until none waits. */
  async #flush(group: string, queue: Queue<T, R>): Promise<void> {
    if (this.#busy.has(group) || queue.length === 0) return;
    this.#busy.add(group);
    while (queue.length > 0) {
      this.#waiting -= queue.dropAbandoned();
      const batch = queue.takeBatch();
      this.#waiting -= batch.length;
      if (batch.length > 0) await withTimeout(PATIENCE_MS, () => this.#carryOut(batch), { onTimeout: () => {} });
      // What a few just answered ask for at once joins the many that wait, or the two would take turns forever.
      if (batch.length < queue.length) await nextTurn();
    }
    this.#queues.delete(group);
    this.#busy.delete(group);
  }

  async #carryOut(batch: readonly Waiting<T, R>[]): Promise<void> {
    const { run, isWorthATryAlone } = this.#options;
    const requests = batch.map(({ request }) => request);
    try {
      const answers = await run(requests);
      batch.forEach((it, at) => it.resolve(answers[at] as Promise<R>));
    } catch (error) {
      if (batch.length > 1 && isWorthATryAlone(requests, error)) for (const it of batch) void this.#carryOut([it]);
      else for (const it of batch) it.reject(error);
    }
  }
}

/**
 * Carries requests out together: those that come while a batch is under way share the next one. There is no timer, so a request that
 * comes alone is carried out alone and at once. Where a batch fails, each of its requests is tried by itself, so that one bad request
 * fails alone.
 */
export const createBatches = <T, R>(options: BatchOptions<T, R>): ((request: T) => Promise<R>) => {
  const batches = new Batches(options);
  return (request) => batches.send(request);
};
