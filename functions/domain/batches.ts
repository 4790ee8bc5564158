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
export const isCausedByOne = (error: unknown, isAway: boolean): boolean =>
  !isAway || CAUSED_BY_ONE.has((error as { code?: string }).code ?? '');

/**
 * Carries requests out together: those that come while a batch is under way share the next one. There is no timer, so a request that
 * comes alone is carried out alone and at once. Where a batch fails, each of its requests is tried by itself, so that one bad request
 * fails alone.
 */
export const createBatches = <T, R>(options: BatchOptions<T, R>): ((request: T) => Promise<R>) => {
  const { groupOf, keyOf, weightOf, mostWeight, isAbandoned, mostWaiting, run, isWorthATryAlone } = options;
  const queues = new Map<string, Waiting<T, R>[]>();
  const busy = new Set<string>();
  let waiting = 0;

  const takeBatch = (group: string): Waiting<T, R>[] => {
    const keys = new Set<string>();
    const queued = queues.get(group) ?? [];
    const abandoned = new Set(queued.filter(({ request }) => isAbandoned(request)));
    for (const { reject } of abandoned) reject(new AppError('unavailable', 'The caller hung up, so the request was not carried out'));
    const batch: Waiting<T, R>[] = [];
    const rest: Waiting<T, R>[] = [];
    let weight = 0;
    for (const it of queued.filter((it) => !abandoned.has(it))) {
      const { request } = it;
      const fits = batch.length === 0 || weight + weightOf(request) <= mostWeight;
      if (fits && !keys.has(it.key)) {
        weight += weightOf(request);
        batch.push(it);
      } else rest.push(it);
      keys.add(it.key); // what comes later with this key stays behind it
    }
    if (rest.length > 0) queues.set(group, rest);
    else queues.delete(group);
    waiting -= batch.length + abandoned.size;
    return batch;
  };

  const carryOut = async (batch: readonly Waiting<T, R>[]): Promise<void> => {
    const requests = batch.map(({ request }) => request);
    try {
      const answers = await run(requests);
      batch.forEach((it, at) => it.resolve(answers[at] as Promise<R>));
    } catch (error) {
      if (batch.length > 1 && isWorthATryAlone(requests, error)) for (const it of batch) void carryOut([it]);
      else for (const it of batch) it.reject(error);
    }
  };

  const flush = async (group: string): Promise<void> => {
    if (busy.has(group)) return;
    busy.add(group);
    while (queues.has(group)) {
      const batch = takeBatch(group);
      if (batch.length > 0) await withTimeout(PATIENCE_MS, () => carryOut(batch), { onTimeout: () => {} });
      // What a few just answered ask for at once joins the many that wait, or the two would take turns for ever.
      if (batch.length < (queues.get(group)?.length ?? 0)) await nextTurn();
    }
    busy.delete(group);
  };

  return (request) =>
    new Promise((resolve, reject) => {
      if (waiting >= mostWaiting)
        return reject(new AppError('unavailable', 'More requests wait than this deployment takes; repeat the request shortly'));
      const group = groupOf(request);
      const queue = queues.get(group) ?? [];
      queue.push({ request, key: keyOf(request), resolve, reject });
      queues.set(group, queue);
      waiting++;
      queueMicrotask(() => void flush(group));
    });
};
