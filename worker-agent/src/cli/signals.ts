import type { WorkerAgent } from '../agent/agent.ts';
import { type Notice, watchNotices } from '../agent/termination-notices.ts';
import type { Config } from './settings.ts';
import { killEverything } from '../process/spawn.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may arrive several times, from the terminal and from the parent process: only a signal after this time counts as the next one. */
const NEXT_SIGNAL_AFTER_MS = 500;
/** Time to stop the tools and to release their subtasks. */
const RELEASE_MS = 30_000;

type SignalOptions = {
  /** How long draining may take before the running subtasks are released; 0 for no limit. */
  drainForMs?: number;
  /** The metadata service whose termination notices count as the first signal. */
  noticeUrl?: string | undefined;
};

export const signalOptions = ({ drain_for_ms, notice_url }: Config): SignalOptions => ({ drainForMs: drain_for_ms, noticeUrl: notice_url });

/**
 * The first signal drains, the second releases the running subtasks, the third exits immediately. If the terminal is closed, or its
 * output is no longer read, nobody can send a second signal: the subtasks are released immediately. Returns a function that stops listening.
 */
export const listenToSignals = (
  agent: Pick<WorkerAgent, 'drain' | 'cancel'>,
  { drainForMs = 0, noticeUrl }: SignalOptions = {},
): (() => void) => {
  const stopped = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  let count = 0;
  /** The last counted signal, while repetitions of it are ignored. */
  let last: object | null = null;
  const cancelAfter = (ms: number, reason: string) => timers.add(setTimeout(() => agent.cancel(reason), ms));
  const setCount = (nth: number) => {
    const it = {};
    count = nth;
    last = it;
    // Signals that arrived while the event loop was blocked are handled before this immediate.
    setTimeout(() => setImmediate(() => (last = last === it ? null : last)), NEXT_SIGNAL_AFTER_MS).unref();
  };
  const begin = (reason: string) => {
    count = Math.max(count, 1);
    agent.drain(reason);
    if (drainForMs > 0) cancelAfter(drainForMs, `draining took longer than ${drainForMs} ms`);
  };
  const onNotice = ({ reason, leftMs }: Notice) => {
    if (count === 0) begin(reason);
    if (leftMs !== null) cancelAfter(leftMs - RELEASE_MS, reason);
  };
  const onHangUp = () => {
    if (count >= 2) return;
    setCount(2);
    agent.cancel('SIGHUP');
  };
  const onSignal = (name: NodeJS.Signals) => {
    if (name === 'SIGHUP') return onHangUp();
    if (last !== null) return;
    setCount(count + 1);
    if (count === 1) begin(name);
    else if (count === 2) agent.cancel(name);
    else process.exit(130);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  if (noticeUrl !== undefined) void watchNotices(noticeUrl, { signal: stopped.signal, onNotice });
  // This listener is never removed: the last line of output may fail after the signal listeners are removed.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onHangUp);
  process.on('exit', killEverything);
  return () => {
    stopped.abort();
    for (const it of timers) clearTimeout(it);
    for (const name of SIGNALS) process.off(name, onSignal);
    process.off('exit', killEverything);
  };
};
