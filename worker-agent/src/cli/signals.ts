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

type Agent = Pick<WorkerAgent, 'drain' | 'cancel'>;

/** Counts the signals to stop, and drains or cancels the agent accordingly. */
class SignalHandler {
  readonly #agent: Agent;
  readonly #drainForMs: number;
  readonly #timers = new Set<NodeJS.Timeout>();
  #count = 0;
  /** The last counted signal, while repetitions of it are ignored. */
  #last: object | null = null;

  constructor(agent: Agent, drainForMs: number) {
    this.#agent = agent;
    this.#drainForMs = drainForMs;
  }

  readonly onSignal = (name: NodeJS.Signals): void => {
    if (name === 'SIGHUP') return this.onHangUp();
    if (this.#last !== null) return;
    this.#setCount(this.#count + 1);
    if (this.#count === 1) this.#drain(name);
    else if (this.#count === 2) this.#agent.cancel(name);
    else process.exit(130);
  };

  readonly onHangUp = (): void => {
    if (this.#count >= 2) return;
    this.#setCount(2);
    this.#agent.cancel('SIGHUP');
  };

  readonly onNotice = ({ reason, leftMs }: Notice): void => {
    if (this.#count === 0) this.#drain(reason);
    if (leftMs !== null) this.#cancelAfter(leftMs - RELEASE_MS, reason);
  };

  stop(): void {
    for (const it of this.#timers) clearTimeout(it);
  }

  #setCount(count: number): void {
    const current = {};
    this.#count = count;
    this.#last = current;
    const forget = () => {
      if (this.#last === current) this.#last = null;
    };
    // Signals that arrived while the event loop was blocked are handled before this immediate.
    setTimeout(() => setImmediate(forget), NEXT_SIGNAL_AFTER_MS).unref();
  }

  #drain(reason: string): void {
    this.#count = Math.max(this.#count, 1);
    this.#agent.drain(reason);
    if (this.#drainForMs > 0) this.#cancelAfter(this.#drainForMs, `draining took longer than ${this.#drainForMs} ms`);
  }

  #cancelAfter(ms: number, reason: string): void {
    this.#timers.add(setTimeout(() => this.#agent.cancel(reason), ms));
  }
}

/**
 * The first signal drains, the second releases the running subtasks, the third exits immediately. If the terminal is closed, or its
 * output is no longer read, nobody can send a second signal: the subtasks are released immediately. Returns a function that stops listening.
 */
export const listenToSignals = (agent: Agent, { drainForMs = 0, noticeUrl }: SignalOptions = {}): (() => void) => {
  const handler = new SignalHandler(agent, drainForMs);
  const stopped = new AbortController();
  for (const name of SIGNALS) process.on(name, handler.onSignal);
  if (noticeUrl !== undefined) void watchNotices(noticeUrl, { signal: stopped.signal, onNotice: handler.onNotice });
  // This listener is never removed: the last line of output may fail after the signal listeners are removed.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', handler.onHangUp);
  process.on('exit', killEverything);
  return () => {
    stopped.abort();
    handler.stop();
    for (const name of SIGNALS) process.off(name, handler.onSignal);
    process.off('exit', killEverything);
  };
};
