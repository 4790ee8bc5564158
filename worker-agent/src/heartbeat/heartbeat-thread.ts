// Entry point of the heartbeat thread. It renews leases even while the main thread is busy, and kills the tools of expired leases.
import { parentPort, workerData } from 'node:worker_threads';
import { ApiError } from '../../../schema/client/client.ts';
import { WorkerApi } from '../api/worker-api.ts';
import type { HeartbeatSettings, FromHeartbeatThread, ToHeartbeatThread } from './heartbeat-messages.ts';
import { clockMs } from './clock.ts';
import { HeartbeatLoop } from './heartbeat-loop.ts';
import { Lease } from './lease.ts';
import { ProcessTree } from '../process/process-tree.ts';

const CHECK_MS = 250;

const settings = workerData as HeartbeatSettings;
const { url, workerId, intervals, slots, pulse, stallMs } = settings;
let { credential, held } = settings;

const post = (message: FromHeartbeatThread) => parentPort?.postMessage(message);
const isStalled = () => clockMs() - Number(Atomics.load(pulse, 0)) > stallMs;

// A beat without an answer must leave time for two more.
const timeoutMs = Math.min(settings.timeoutMs, intervals.lease_ms / 3);
const loop = new HeartbeatLoop({
  api: new WorkerApi({ url, workerId, timeoutMs, credential: () => credential }),
  intervals,
  slots,
  held: () => held,
  mayBeat: () => !isStalled(),
  onAnswer: (answer, asked) => {
    credential = answer.credential ?? credential;
    post({ asked, answer });
  },
  onError: (error, asked) =>
    post(
      error instanceof ApiError
        ? { asked, problem: error.problem, retryAfterMs: error.retryAfterMs }
        : { asked, message: String((error as Error)?.stack ?? error) },
    ),
});

/** The main thread checks leases too, but while it is blocked or about to wake after sleep, it is too late. */
const checkLeases = () => {
  const stalled = held.length > 0 && isStalled();
  for (const { cells, isWorking, trees } of held) {
    const lease = new Lease(cells);
    if (isWorking && (stalled || lease.isOver)) lease.fence();
    if (lease.isFenced) for (const [root, mark] of trees) new ProcessTree(root, mark, false).kill();
  }
};

parentPort?.on('message', (message: ToHeartbeatThread) => {
  if ('now' in message) return loop.beatNow();
  if ('asked' in message) return loop.ask(message.asked);
  held = message.held;
  loop.leasesChanged();
});
setInterval(checkLeases, CHECK_MS);
await loop.run(new AbortController().signal);
