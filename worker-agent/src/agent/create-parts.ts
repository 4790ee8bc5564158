import type { HeartbeatAnswer } from '../../../schema/worker.ts';
import { classify } from '../api/retry.ts';
import { type ClaimAnswer, WorkerApi } from '../api/worker-api.ts';
import type { JobContext } from '../attempt/job-context.ts';
import type { RunningJob } from '../attempt/running-job.ts';
import { tryWorkspace } from '../attempt/workspace.ts';
import { Heartbeat } from '../heartbeat/heartbeat.ts';
import { Redactor } from '../redaction/redactor.ts';
import { Reporter } from '../report/reporter.ts';
import { SpoolSender } from '../report/spool/spool-sender.ts';
import { Spool } from '../report/spool/spool.ts';
import type { AgentOptions } from './agent-options.ts';
import { ClaimLoop } from './claim-loop.ts';
import { SocketLoop } from './socket-loop.ts';
import type { Log } from './worker-log.ts';

const STALL_MS = 30_000;

/** What the parts of an agent read from it and report to it. */
export type AgentHooks = {
  log: Log;
  /** Aborts when the worker must claim no more. */
  draining: AbortSignal;
  /** Aborts when the worker must also give up a claim that is in progress. */
  stopped: AbortSignal;
  /** Aborts when the process ends, even if some results have not been sent. */
  leaving: AbortSignal;
  credential(): string;
  held(): ReadonlyMap<string, RunningJob>;
  onClaimed(answer: ClaimAnswer, sentAtMs: number): number;
  onHeartbeat(answer: HeartbeatAnswer): void;
  onError(operation: 'claim' | 'heartbeat', error: unknown): void;
  onRevoked(error: unknown): void;
};

export type AgentParts = {
  spool: Spool;
  spoolSender: SpoolSender;
  jobs: JobContext;
  claims: ClaimLoop;
  reporter: Reporter;
  heartbeat: Heartbeat;
  socket: SocketLoop;
};

const createApi = ({ url, workerId, timeoutMs }: AgentOptions, { credential, log }: AgentHooks): WorkerApi =>
  new WorkerApi({
    url,
    workerId,
    timeoutMs,
    credential,
    onRetry: (operation, error, waitMs, tries) =>
      log('warn', 'request.retried', { operation, tries, wait_ms: Math.round(waitMs), error: error.message }),
  });

const createSpool = ({ settings }: AgentOptions, { log }: AgentHooks): Spool =>
  new Spool({
    folder: settings.spoolFolder,
    maxBytes: settings.maxSpoolBytes,
    log,
    probe: () => tryWorkspace(settings.workspaces),
  });

const createJobContext = (
  { settings, tools, credential, redactor = new Redactor() }: AgentOptions,
  { log, leaving, onRevoked }: AgentHooks,
  api: WorkerApi,
  spool: Spool,
): JobContext => {
  redactor.add(credential);
  return { api, settings, redactor, spool, leaving, log, adapters: new Map(tools.map((tool) => [tool.id, tool])), onRevoked };
};

const createClaims = (
  { slots, tools }: AgentOptions,
  { draining, stopped, onClaimed, onError }: AgentHooks,
  api: WorkerApi,
  spool: Spool,
): ClaimLoop =>
  new ClaimLoop({
    api,
    slots,
    tools: tools.map(({ id }) => id),
    canClaim: () => spool.canKeep,
    draining,
    stopped,
    onClaimed,
    onError: (error) => onError('claim', error),
  });

const createHeartbeat = (options: AgentOptions, { credential, held, onHeartbeat, onError }: AgentHooks): Heartbeat => {
  const { url, workerId, timeoutMs, intervals, slots, stallMs = STALL_MS } = options;
  return new Heartbeat({
    url,
    workerId,
    timeoutMs,
    stallMs,
    credential,
    intervals,
    slots,
    held: () => [...held().values()],
    onAnswer: onHeartbeat,
    onError: (error) => onError('heartbeat', error),
  });
};

type Woken = { claims: ClaimLoop; heartbeat: Heartbeat };

/** The server rings only workers that have sent a heartbeat, so this claims what became ready before the first one. */
const announce = async ({ claims, heartbeat }: Woken): Promise<void> => {
  await heartbeat.ask().catch(() => {});
  claims.ring();
};

const createSocket = (options: AgentOptions, { log, held, onRevoked }: AgentHooks, api: WorkerApi, woken: Woken): SocketLoop => {
  const { claims, heartbeat } = woken;
  return new SocketLoop({
    api,
    workerId: options.workerId,
    WebSocket: options.WebSocket,
    onLive: (isLive) => {
      log('info', isLive ? 'push.began' : 'push.ended', {});
      claims.setDoorbell(isLive);
      if (isLive) void announce(woken);
    },
    onDoorbell: () => {
      claims.ring();
      // The server assumes that a slot is free: the heartbeat corrects it.
      if (held().size >= options.slots) heartbeat.beatNow();
    },
    onCancel: (subtaskId) => held().has(subtaskId) && heartbeat.beatNow(),
    onError: (error) => classify(error) === 'revoked' && onRevoked(error),
  });
};

/** Creates the parts of an agent and connects them. Does not start them. */
export const createParts = (options: AgentOptions, hooks: AgentHooks): AgentParts => {
  const api = createApi(options, hooks);
  const spool = createSpool(options, hooks);
  const spoolSender = new SpoolSender({ api, spool, log: hooks.log, onRevoked: hooks.onRevoked });
  const jobs = createJobContext(options, hooks, api, spool);
  const claims = createClaims(options, hooks, api, spool);
  spool.onChange = () => {
    spoolSender.hurry();
    if (spool.canKeep) claims.ring();
  };
  const heartbeat = createHeartbeat(options, hooks);
  const socket = createSocket(options, hooks, api, { claims, heartbeat });
  return { spool, spoolSender, jobs, claims, reporter: new Reporter(jobs, claims), heartbeat, socket };
};
