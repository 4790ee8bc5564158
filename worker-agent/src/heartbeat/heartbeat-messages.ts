import type { Problem } from '../../../schema/errors.ts';
import type { HeartbeatAnswer, Intervals } from '../../../schema/worker.ts';
import type { Fenced } from '../api/worker-api.ts';
import type { Lease } from './lease.ts';

/** A lease as the beat thread sees it, with the processes that its tool was started with and what marks all that came from them. */
export type Held = {
  fence: Fenced;
  progress: { percent?: number; message?: string } | undefined;
  cells: Lease['cells'];
  isWorking: boolean;
  trees: ReadonlyMap<number, string>;
};

export type HeartbeatSettings = {
  url: string;
  workerId: string;
  credential: string;
  timeoutMs: number;
  intervals: Intervals;
  slots: number;
  stallMs: number;
  /** When the main thread was last seen to go on, by clockMs. */
  pulse: BigInt64Array<SharedArrayBuffer>;
  held: Held[];
};

/** What is held now; a wish for a beat at once; a question, the so many-th, that the next beat answers. */
export type ToHeartbeatThread = { held: Held[] } | { now: true } | { asked: number };

/** What the server said to a beat, or why it did not; `asked` is the last question that it answers. */
export type FromHeartbeatThread = { asked: number } & (
  | { answer: HeartbeatAnswer }
  | { problem: Problem; retryAfterMs: number | null }
  | { message: string }
);
