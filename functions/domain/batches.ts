import { setImmediate as nextTurn } from 'node:timers/promises';
import { withTimeout } from '../../schema/client/with-timeout.ts';
import { AppError } from '../../schema/errors.ts';

type Waiting<T, R> = { request: T; key: string; resolve(answer: R | PromiseLike<R>): void; reject(error: unknown): void };

export type BatchOptions<T, R> = {
  /** Requests of one group share a batch. */
  groupOf(request: T): string;
  /** Two requests with the same key never share a batch. */
  keyOf(request: T): string;
  /** The weight that a request adds to a batch; a batch has at most `mostWeight`. */
  weightOf(request: T): number;
  mostWeight: number;
  /** Whether nobody waits for a request any more; such a request is not started. */
  isAbandoned(request: T): boolean;
  /** The most requests that wait, in all groups; one more is refused with `unavailable`. */
  mostWaiting: number;
  /** Runs a batch. The next batch of the group starts when this returns, or takes long; each request has its own answer. */
  run(requests: readonly T[]): Promise<readonly Promise<R>[]>;
  /** Whether to run each request of a batch alone after the batch failed with this error. */
  isWorthATryAlone(requests: readonly T[], error: unknown): boolean;
};

/** A lock timeout, a deadlock, a serialization failure, a statement timeout: one request may cause them for the whole batch. */
const CAUSED_BY_ONE = new Set(['55P03', '40P01', '40001', '57014']);

/** If a batch takes longer than this, usually because of a lock, the next one starts in parallel. */
const PATIENCE_MS = 300;

/** Whether a statement for several requests may have failed because of one of them, not because the database is unavailable. */
export const isCausedByOne = (error: unknown, isUnavailable: boolean): boolean =>
  !isUnavailable || CAUSED_BY_ONE.has((error as { code?: string }).code ?? '');

/** The waiting requests of one group, in the order in which they arrived. */
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

  /** Removes and refuses the requests for which nobody waits any more; returns their number. */
  dropAbandoned(): number {
    const { isAbandoned } = this.#options;
    const abandoned = this.#waiting.filter(({ request }) => isAbandoned(request));
    for (const { reject } of abandoned)
      reject(new AppError('unavailable', 'The caller closed the connection, so the request was not carried out'));
    this.#waiting = this.#waiting.filter((it) => !abandoned.includes(it));
    return abandoned.length;
  }

  /** Removes the requests of the next batch: the first of each key, up to the weight of a batch. */
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
      keys.add(it.key); // later requests with this key stay behind this one
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

  /** Runs one batch of a group after the other until no request waits. */
  async #flush(group: string, queue: Queue<T, R>): Promise<void> {
    if (this.#busy.has(group) || queue.length === 0) return;
    this.#busy.add(group);
    while (queue.length > 0) {
      this.#waiting -= queue.dropAbandoned();
      const batch = queue.takeBatch();
      this.#waiting -= batch.length;
      if (batch.length > 0) await withTimeout(PATIENCE_MS, () => this.#carryOut(batch), { onTimeout: () => {} });
      // Callers of a small batch often send their next request at once. Letting those join the waiting ones keeps the batches large.
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
 * Runs requests in batches: those that arrive while a batch is running share the next one. There is no timer, so a request that arrives
 * alone runs alone and at once. When a batch fails, each of its requests is tried alone, so that one bad request fails alone.
 */
export const createBatches = <T, R>(options: BatchOptions<T, R>): ((request: T) => Promise<R>) => {
  const batches = new Batches(options);
  return (request) => batches.send(request);
};
