import type { Problem } from '../../../schema/errors.ts';
import type { HeartbeatAnswer, Intervals } from '../../../schema/worker.ts';
import type { Fenced } from '../api/worker-api.ts';
import type { Lease } from './lease.ts';

/** A lease as the heartbeat thread sees it, with the root processes of its tool and the mark of all their descendants. */
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
  /** When the main thread was last seen running, by clockMs. */
  pulse: BigInt64Array<SharedArrayBuffer>;
  held: Held[];
};

/** `held`: the current leases. `now`: send a beat at once. `asked`: the number of a request for confirmation, which the next beat answers. */
export type ToHeartbeatThread = { held: Held[] } | { now: true } | { asked: number };

/** The server's answer to a beat, or why there is none. `asked` is the last request for confirmation that it answers. */
export type FromHeartbeatThread = { asked: number } & (
  | { answer: HeartbeatAnswer }
  | { problem: Problem; retryAfterMs: number | null }
  | { message: string }
);
