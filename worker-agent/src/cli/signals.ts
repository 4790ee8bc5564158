import type { WorkerAgent } from '../agent/agent.ts';
import { type Notice, watchNotices } from '../agent/termination-notices.ts';
import type { Config } from './settings.ts';
import { killEverything } from '../process/spawn.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may come several times, from the terminal and from what started this: only a later one is a second. */
const SECOND_AFTER_MS = 500;
/** What it takes to end the tools and to give their subtasks back. */
const GIVE_BACK_MS = 30_000;

type SignalOptions = {
  /** How long draining may take before the work is given back; 0 for as long as it takes. */
  drainForMs?: number;
  /** Whose notices that the machine is to be taken away count as the first signal. */
  noticeUrl?: string | undefined;
};

export const signalOptions = ({ drain_for_ms, notice_url }: Config): SignalOptions => ({ drainForMs: drain_for_ms, noticeUrl: notice_url });

/**
 * The first signal drains, the second gives the work back, the third ends the process at once. Where the terminal was closed, or nobody
 * reads the output any more, nobody can ask twice either: the work is given back at once. Answers how to stop listening.
 */
export const listenToSignals = (
  agent: Pick<WorkerAgent, 'drain' | 'cancel'>,
  { drainForMs = 0, noticeUrl }: SignalOptions = {},
): (() => void) => {
  const over = new AbortController();
  const limits = new Set<NodeJS.Timeout>();
  let count = 0;
  /** The last that counted, until another can. */
  let last: object | null = null;
  const limit = (ms: number, why: string) => limits.add(setTimeout(() => agent.cancel(why), ms));
  const counts = (nth: number) => {
    const it = {};
    count = nth;
    last = it;
    // What came while this process was too busy to hear it is heard before the immediate.
    setTimeout(() => setImmediate(() => (last = last === it ? null : last)), SECOND_AFTER_MS).unref();
  };
  const begin = (reason: string) => {
    count = Math.max(count, 1);
    agent.drain(reason);
    if (drainForMs > 0) limit(drainForMs, `it drained for ${drainForMs} ms`);
  };
  const noticed = ({ reason, leftMs }: Notice) => {
    if (count === 0) begin(reason);
    if (leftMs !== null) limit(leftMs - GIVE_BACK_MS, reason);
  };
  const hungUp = () => {
    if (count >= 2) return;
    counts(2);
    agent.cancel('SIGHUP');
  };
  const heard = (name: NodeJS.Signals) => {
    if (name === 'SIGHUP') return hungUp();
    if (last !== null) return;
    counts(count + 1);
    if (count === 1) begin(name);
    else if (count === 2) agent.cancel(name);
    else process.exit(130);
  };
  for (const name of SIGNALS) process.on(name, heard);
  if (noticeUrl !== undefined) void watchNotices(noticeUrl, { signal: over.signal, onNotice: noticed });
  // To the very end: the last line may fail when nobody listens to signals any more.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', hungUp);
  process.on('exit', killEverything);
  return () => {
    over.abort();
    for (const it of limits) clearTimeout(it);
    for (const name of SIGNALS) process.off(name, heard);
    process.off('exit', killEverything);
  };
};
