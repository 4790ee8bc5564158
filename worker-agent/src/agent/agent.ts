import type { HeartbeatAnswer, Intervals } from '../../../schema/worker.ts';
import { classify, orAborted } from '../api/retry.ts';
import type { ClaimAnswer } from '../api/worker-api.ts';
import { runJob } from '../attempt/run-job.ts';
import { RunningJob } from '../attempt/running-job.ts';
import { Lease } from '../heartbeat/lease.ts';
import type { SpoolState } from '../report/spool/spool.ts';
import type { AgentOptions } from './agent-options.ts';
import { type AgentParts, createParts } from './create-parts.ts';
import type { AgentStatus } from './health.ts';
import { type Log, silentLog } from './worker-log.ts';

/** The server has removed this worker. The only remedy is to enrol it again. */
export class WorkerRevoked extends Error {
  constructor(cause: unknown) {
    super('this worker was removed; enrol again', { cause });
    this.name = 'WorkerRevoked';
  }
}

/**
 * A worker: claims subtasks, runs them with its tools, renews their leases and reports the results. `drain` stops claiming, and `run`
 * resolves when the running subtasks are finished; `cancel` also stops the running subtasks and releases them.
 */
export class WorkerAgent {
  readonly #options: AgentOptions;
  readonly #log: Log;
  readonly #held = new Map<string, RunningJob>();
  readonly #working = new Set<Promise<unknown>>();
  readonly #ended = new Set<Promise<void>>();
  readonly #draining = new AbortController();
  readonly #stopped = new AbortController();
  readonly #leaving = new AbortController();
  readonly #parts: AgentParts;
  #credential: string;
  #intervals: Intervals;
  #answeredAt: number | null = null;
  #failure: WorkerRevoked | null = null;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#credential = options.credential;
    this.#intervals = options.intervals;
    this.#parts = createParts(options, {
      log: this.#log,
      draining: this.#draining.signal,
      stopped: this.#stopped.signal,
      leaving: this.#leaving.signal,
      credential: () => this.#credential,
      held: () => this.#held,
      onClaimed: (answer, sentAtMs) => this.#begin(answer, sentAtMs),
      onHeartbeat: (answer) => this.#onHeartbeat(answer),
      onError: (operation, error) => this.#failed(operation, error),
      onRevoked: (error) => this.#revoke(error),
    });
  }

  /** What is stored on the disk because the platform does not answer, and whether more can be stored. */
  get spool(): SpoolState {
    return this.#parts.spool.state();
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
      spool: this.#parts.spool.state(),
      isRevoked: this.#failure !== null,
      heartbeatAgeMs: this.#answeredAt === null ? null : performance.now() - this.#answeredAt,
      heartbeatLimitMs: 3 * Math.max(idle_heartbeat_ms, busy_heartbeat_ms),
    };
  }

  /** Works until it is drained; throws WorkerRevoked when the server removed the worker. */
  run(): Promise<void> {
    const { url, workerId, slots, tools } = this.#options;
    this.#log('info', 'worker.started', { worker_id: workerId, url, slots, tools: tools.map(({ id }) => id), pid: process.pid });
    return this.#runParts(() => this.#parts.claims.run());
  }

  /** Claims once, runs the claimed subtasks and ends. Returns their number. */
  async once(): Promise<number> {
    this.#draining.abort();
    let claimed = 0;
    await this.#runParts(async () => {
      await this.#parts.claims.once();
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

  /** Runs the heartbeat, the socket and the spool sender while `work` and the subtasks it claimed are in progress. */
  async #runParts(work: () => Promise<void>): Promise<void> {
    const ended = new AbortController();
    await this.#parts.spool.open();
    const loops = [
      this.#parts.heartbeat.run(ended.signal),
      this.#parts.socket.run(ended.signal),
      this.#parts.spoolSender.run(ended.signal),
    ];
    await work();
    await this.#finish();
    ended.abort();
    await Promise.all(loops);
    this.#log('info', 'worker.stopped', {});
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits for the running subtasks, then for a limited time until the platform has received their results. */
  async #finish(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
    const timer = setTimeout(() => this.#leaving.abort(), this.#options.settings.reportForMs);
    while (this.#ended.size > 0) await Promise.all(this.#ended);
    for (let [item] = this.#parts.spool.items; item && !this.#leaving.signal.aborted; [item] = this.#parts.spool.items)
      await orAborted(this.#parts.spool.removed(item), this.#leaving.signal);
    clearTimeout(timer);
    const { entries } = this.#parts.spool.state();
    if (entries > 0) this.#log('warn', 'spool.unsent', { entries, folder: this.#options.settings.spoolFolder });
  }

  #begin(answer: ClaimAnswer, sentAtMs: number): number {
    if (answer.empty_reason === 'worker_draining') this.drain('the server requested it');
    const fresh = answer.claimed.filter(({ subtask_id, attempt }) => this.#held.get(subtask_id)?.claimed.attempt !== attempt);
    for (const claimed of fresh) {
      const lease = new Lease();
      lease.extend(sentAtMs, claimed.lease_seconds * 1_000);
      const job = new RunningJob(claimed, lease, this.#parts.heartbeat);
      this.#held.set(claimed.subtask_id, job);
      if (this.#stopped.signal.aborted) job.stop('released');
      const ended = this.#runSubtask(job).finally(() => this.#ended.delete(ended));
      this.#ended.add(ended);
    }
    if (fresh.length > 0) this.#parts.heartbeat.leasesChanged();
    return fresh.length;
  }

  async #runSubtask(job: RunningJob): Promise<void> {
    const { subtask_id, task_id, key, tool, attempt } = job.claimed;
    this.#log('info', 'subtask.claimed', { subtask_id, task_id, key, tool, attempt });
    const work = runJob(this.#parts.jobs, job);
    this.#working.add(work);
    const { ending, cleanUp } = await work;
    this.#working.delete(work);
    const reported = this.#parts.reporter.report(job, ending);
    const cleaned = cleanUp();
    await reported;
    if (this.#held.get(subtask_id) === job) this.#held.delete(subtask_id);
    this.#parts.heartbeat.leasesChanged();
    await cleaned;
  }

  #onHeartbeat(answer: HeartbeatAnswer): void {
    this.#answeredAt = performance.now();
    this.#intervals = answer.intervals;
    if (answer.credential !== null) {
      this.#credential = answer.credential;
      this.#parts.jobs.redactor.add(answer.credential);
      this.#options.onCredential?.(answer.credential);
      this.#log('info', 'credential.renewed', {});
    }
    if (!this.#parts.spool.isEmpty) this.#parts.spoolSender.hurry();
    if (answer.mode === 'draining') this.drain('the server requested it');
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
