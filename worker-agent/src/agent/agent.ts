import type { HeartbeatAnswer, Intervals } from '../../../schema/worker.ts';
import { type ClaimAnswer, WorkerApi } from '../api/worker-api.ts';
import { ClaimLoop } from './claim-loop.ts';
import { Beats } from '../heartbeat/heartbeat.ts';
import type { AgentStatus } from './health.ts';
import { runJob } from '../attempt/run-job.ts';
import type { JobContext, JobSettings } from '../attempt/job-context.ts';
import { type Log, silentLog } from './worker-log.ts';
import { Redactor } from '../redaction/redactor.ts';
import { Reporter } from '../report/reporter.ts';
import { Lease } from '../heartbeat/lease.ts';
import { classify, orAborted } from '../api/retry.ts';
import { RunningJob } from '../attempt/running-job.ts';
import { Spool, type SpoolState } from '../report/spool/spool.ts';
import { SpoolSender } from '../report/spool/spool-sender.ts';
import { SocketLoop } from './socket-loop.ts';
import type { AgentAdapter } from '../tools/adapter.ts';
import { tryWorkspace } from '../attempt/workspace.ts';

export type AgentOptions = {
  url: string;
  workerId: string;
  credential: string;
  intervals: Intervals;
  tools: readonly AgentAdapter[];
  slots: number;
  timeoutMs: number;
  settings: JobSettings;
  /** How long the main thread may be busy before its leases are given up. */
  stallMs?: number;
  /** Knows the secrets that must not leave the worker; its credential is added. */
  redactor?: Redactor;
  log?: Log;
  /** Left out, that of Node, where it has one; null means that nothing is pushed. */
  WebSocket?: typeof WebSocket | null;
  /** Called when the server renewed the credential: it has to be kept for the next start. */
  onCredential?: (credential: string) => void;
};

const STALL_MS = 30_000;

/** The server no longer knows the worker: nothing can be done but to enrol it again. */
export class WorkerRevoked extends Error {
  constructor(cause: unknown) {
    super('this worker was removed; enrol again', { cause });
    this.name = 'WorkerRevoked';
  }
}

/**
 * A worker: claims subtasks, carries them out with its tools, keeps their leases and reports. `drain` stops claiming and lets
 * `run` resolve when what runs is done; `cancel` also stops the work and gives it back.
 */
export class WorkerAgent {
  readonly #options: AgentOptions;
  readonly #log: Log;
  readonly #held = new Map<string, RunningJob>();
  readonly #working = new Set<Promise<unknown>>();
  readonly #ended = new Set<Promise<void>>();
  readonly #draining = new AbortController();
  readonly #stopped = new AbortController();
  readonly #claims: ClaimLoop;
  readonly #beats: Beats;
  readonly #socket: SocketLoop;
  readonly #reporter: Reporter;
  readonly #jobs: JobContext;
  readonly #spool: Spool;
  readonly #spoolSender: SpoolSender;
  readonly #leaving = new AbortController();
  #credential: string;
  #intervals: Intervals;
  #heardAt: number | null = null;
  #failure: WorkerRevoked | null = null;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#credential = options.credential;
    this.#intervals = options.intervals;
    const { url, workerId, timeoutMs, settings, tools, redactor = new Redactor() } = options;
    redactor.add(options.credential);
    const api = new WorkerApi({
      url,
      workerId,
      timeoutMs,
      credential: () => this.#credential,
      onRetry: (operation, error, waitMs, tries) =>
        this.#log('warn', 'request.retried', { operation, tries, wait_ms: Math.round(waitMs), error: error.message }),
    });
    this.#spool = new Spool({
      folder: settings.spoolFolder,
      maxBytes: settings.maxSpoolBytes,
      log: this.#log,
      probe: () => tryWorkspace(settings.workspaces),
    });
    this.#spoolSender = new SpoolSender({
      api,
      spool: this.#spool,
      log: this.#log,
      onRevoked: (error) => this.#revoke(error),
    });
    this.#spool.onChange = () => {
      this.#spoolSender.hurry();
      if (this.#spool.canKeep) this.#claims.ring();
    };
    this.#jobs = {
      api,
      settings,
      redactor,
      spool: this.#spool,
      leaving: this.#leaving.signal,
      log: this.#log,
      adapters: new Map(tools.map((tool) => [tool.id, tool])),
      onRevoked: (error) => this.#revoke(error),
    };
    this.#claims = new ClaimLoop({
      api,
      slots: options.slots,
      tools: tools.map(({ id }) => id),
      canClaim: () => this.#spool.canKeep,
      draining: this.#draining.signal,
      stopped: this.#stopped.signal,
      onClaimed: (answer, sentAt) => this.#begin(answer, sentAt),
      onError: (error) => this.#failed('claim', error),
    });
    this.#reporter = new Reporter(this.#jobs, this.#claims);
    this.#beats = new Beats({
      url,
      workerId,
      timeoutMs,
      stallMs: options.stallMs ?? STALL_MS,
      credential: () => this.#credential,
      intervals: options.intervals,
      slots: options.slots,
      held: () => [...this.#held.values()],
      onAnswer: (answer) => this.#heard(answer),
      onError: (error) => this.#failed('heartbeat', error),
    });
    this.#socket = new SocketLoop({
      api,
      workerId,
      WebSocket: options.WebSocket,
      onLive: (isLive) => {
        this.#log('info', isLive ? 'push.began' : 'push.ended', {});
        this.#claims.setDoorbell(isLive);
        if (isLive) void this.#beHeard();
      },
      onDoorbell: () => {
        this.#claims.ring();
        // The server believes that there is a slot free.
        if (this.running >= options.slots) this.#beats.beatNow();
      },
      onCancel: (subtaskId) => this.#held.has(subtaskId) && this.#beats.beatNow(),
      onError: (error) => classify(error) === 'revoked' && this.#revoke(error),
    });
  }

  /** The server rings only those of whom it has heard: what was ready before that is asked for. */
  async #beHeard(): Promise<void> {
    await this.#beats.ask().catch(() => {});
    this.#claims.ring();
  }

  /** What waits on the disk for a platform that does not answer, and whether more could be kept. */
  get spool(): SpoolState {
    return this.#spool.state();
  }

  get running(): number {
    return this.#held.size;
  }

  get status(): AgentStatus {
    const { idle_heartbeat_ms, busy_heartbeat_ms } = this.#intervals;
    return {
      running: this.running,
      slots: this.#options.slots,
      isDraining: this.#draining.signal.aborted,
      spool: this.#spool.state(),
      isRevoked: this.#failure !== null,
      heartbeatAgeMs: this.#heardAt === null ? null : performance.now() - this.#heardAt,
      heartbeatLimitMs: 3 * Math.max(idle_heartbeat_ms, busy_heartbeat_ms),
    };
  }

  /** Works until it is drained; throws WorkerRevoked when the server removed the worker. */
  run(): Promise<void> {
    const { url, workerId, slots, tools } = this.#options;
    this.#log('info', 'worker.started', { worker_id: workerId, url, slots, tools: tools.map(({ id }) => id), pid: process.pid });
    return this.#live(() => this.#claims.run());
  }

  /** Claims once, carries that out and ends; answers how many subtasks that were. */
  async once(): Promise<number> {
    this.#draining.abort();
    let claimed = 0;
    await this.#live(async () => {
      await this.#claims.once();
      claimed = this.running;
    });
    return claimed;
  }

  drain(reason: string): void {
    if (this.#draining.signal.aborted) return;
    this.#log('info', 'worker.draining', { reason, running: this.running });
    this.#draining.abort();
  }

  cancel(reason: string): void {
    this.drain(reason);
    this.#stopped.abort();
    this.#leaving.abort();
    this.#log('warn', 'worker.cancelling', { reason, running: this.running });
    for (const job of this.#held.values()) job.stop('released');
  }

  async #live(work: () => Promise<void>): Promise<void> {
    const beating = new AbortController();
    await this.#spool.open();
    const clocks = [this.#beats.run(beating.signal), this.#socket.run(beating.signal), this.#spoolSender.run(beating.signal)];
    await work();
    await this.#leave();
    beating.abort();
    await Promise.all(clocks);
    this.#log('info', 'worker.stopped', {});
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits for what runs, and for a while for a platform that does not answer. */
  async #leave(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
    const timer = setTimeout(() => this.#leaving.abort(), this.#options.settings.reportForMs);
    while (this.#ended.size > 0) await Promise.all(this.#ended);
    for (let [item] = this.#spool.items; item && !this.#leaving.signal.aborted; [item] = this.#spool.items)
      await orAborted(this.#spool.gone(item), this.#leaving.signal);
    clearTimeout(timer);
    const { entries } = this.#spool.state();
    if (entries > 0) this.#log('warn', 'spool.left', { entries, folder: this.#options.settings.spoolFolder });
  }

  #begin(answer: ClaimAnswer, sentAtMs: number): number {
    if (answer.empty_reason === 'worker_draining') this.drain('the server wants it');
    const fresh = answer.claimed.filter(({ subtask_id, attempt }) => this.#held.get(subtask_id)?.claimed.attempt !== attempt);
    for (const claimed of fresh) {
      const lease = new Lease();
      lease.extend(sentAtMs, claimed.lease_seconds * 1_000);
      const job = new RunningJob(claimed, lease, this.#beats);
      this.#held.set(claimed.subtask_id, job);
      if (this.#stopped.signal.aborted) job.stop('released');
      const ended = this.#carryOut(job).finally(() => this.#ended.delete(ended));
      this.#ended.add(ended);
    }
    if (fresh.length > 0) this.#beats.leasesChanged();
    return fresh.length;
  }

  async #carryOut(job: RunningJob): Promise<void> {
    const { subtask_id, task_id, key, tool, attempt } = job.claimed;
    this.#log('info', 'subtask.claimed', { subtask_id, task_id, key, tool, attempt });
    const work = runJob(this.#jobs, job);
    this.#working.add(work);
    const { ending, cleanUp } = await work;
    this.#working.delete(work);
    const reported = this.#reporter.report(job, ending);
    const cleaned = cleanUp();
    await reported;
    if (this.#held.get(subtask_id) === job) this.#held.delete(subtask_id);
    this.#beats.leasesChanged();
    await cleaned;
  }

  #heard(answer: HeartbeatAnswer): void {
    this.#heardAt = performance.now();
    this.#intervals = answer.intervals;
    if (answer.credential !== null) {
      this.#credential = answer.credential;
      this.#jobs.redactor.add(answer.credential);
      this.#options.onCredential?.(answer.credential);
      this.#log('info', 'credential.renewed', {});
    }
    if (!this.#spool.isEmpty) this.#spoolSender.hurry();
    if (answer.mode === 'draining') this.drain('the server wants it');
    for (const { subtask_id, attempt, state, directive } of answer.leases) {
      const job = this.#held.get(subtask_id);
      if (job?.claimed.attempt !== attempt || (state === 'renewed' && directive === null)) continue;
      if (job.stop('lost')) this.#log('warn', directive === 'cancel' ? 'subtask.cancelled' : 'subtask.lease-lost', { subtask_id, attempt });
    }
  }

  #failed(operation: string, error: unknown): void {
    const verdict = classify(error);
    if (verdict === 'revoked') return this.#revoke(error);
    if (this.#stopped.signal.aborted) return;
    this.#log(verdict === 'retryable' ? 'warn' : 'error', 'request.failed', { operation, error: (error as Error).message });
  }

  #revoke(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = new WorkerRevoked(error);
    this.#log('error', 'worker.revoked', { message: this.#failure.message, error: (error as Error).message });
    this.#draining.abort();
    this.#stopped.abort();
    this.#leaving.abort();
    for (const job of this.#held.values()) job.stop('revoked');
  }
}
