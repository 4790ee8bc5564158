import { AppError } from '../../../schema/errors.ts';
import type { WorkerStatus } from '../../../schema/states.ts';
import type {
  ClaimSpec,
  CompleteManySpec,
  EnrolmentSpec,
  HeartbeatAnswer,
  HeartbeatSpec,
  Intervals,
  Worker,
  WorkerSpec,
} from '../../../schema/worker.ts';
import type { Context, WorkerIdentity } from '../context.ts';
import { commit } from '../outbox/outbox.ts';
import { pageOf, timeCursor } from '../page.ts';
import type { Caller, WorkerPrincipal } from '../principal.ts';
import { newSecret, secretHash } from '../secrets.ts';
import type { Sql } from '../sql.ts';
import type { CompletionAnswer } from '../subtasks/subtasks.sql.ts';
import { completion, refusal } from '../subtasks/subtasks.ts';
import * as rows from './workers.sql.ts';

type Who = Pick<Caller, 'organization_id'>;
type Announcing = Pick<Context, 'sql' | 'queues' | 'hints' | 'log'>;
type Workers = Pick<Context, 'sql' | 'env' | 'tokens' | 'queues' | 'hints' | 'log' | 'isAway' | 'advance'>;

const missing = () => new AppError('worker_not_found', 'There is no worker with this id');

const intervals = ({ env }: Pick<Context, 'env'>): Intervals => ({
  idle_heartbeat_ms: env.IDLE_HEARTBEAT_MS,
  busy_heartbeat_ms: env.BUSY_HEARTBEAT_MS,
  claim_poll_ms: env.CLAIM_POLL_MS,
  lease_ms: env.LEASE_MS,
});

/** Makes a token with which one worker can enrol until it expires. */
export const createEnrolmentToken = async (ctx: Workers, caller: Caller, spec: EnrolmentSpec) => {
  const enrolmentToken = newSecret('mae');
  const row = await rows.insertEnrolmentToken(ctx.sql, caller.organization_id, spec, secretHash(enrolmentToken));
  return { ...row, enrolment_token: enrolmentToken };
};

const checkAllowed = (token: rows.LockedToken, spec: WorkerSpec) => {
  const beyond = spec.tools.filter((tool) => !token.tools.includes(tool));
  if (beyond.length === 0) return;
  const message = `the token allows ${token.tools.join(', ')}; it does not allow ${beyond.join(', ')}`;
  throw new AppError('enrolment_mismatch', message, { errors: [{ path: 'body.tools', message }] });
};

/** Uses an enrolment token up. The same registration again, its answer lost, gets the same worker. */
export const register = async (ctx: Workers, enrolmentToken: string, spec: WorkerSpec) => {
  const { worker, organizationId } = await commit(ctx, async (sql) => {
    const token = await rows.lockEnrolmentToken(sql, secretHash(enrolmentToken));
    if (token === null) throw new AppError('enrolment_refused', 'The enrolment token is unknown; make a new one');
    const organizationId = token.organization_id;
    if (token.used) {
      const known = spec.registration_id && (await rows.findRegistration(sql, token.enrolment_token_id, spec.registration_id));
      if (!known) throw new AppError('enrolment_refused', 'The enrolment token was used already; each worker needs its own');
      return { worker: known, organizationId };
    }
    if (token.expired) throw new AppError('enrolment_refused', 'The enrolment token has expired; make a new one');
    checkAllowed(token, spec);
    const worker = await rows.insertWorker(sql, token, spec);
    await rows.leaveWorker(sql, organizationId, worker.worker_id);
    return { worker, organizationId };
  });
  const credential = await ctx.tokens.sign({ worker_id: worker.worker_id, organization_id: organizationId });
  return { worker, credential, intervals: intervals(ctx) };
};

const find = async ({ sql, hints }: Pick<Context, 'sql' | 'hints'>, organizationId: string, workerId: string) =>
  (await hints.readWorker(organizationId, workerId)) ?? rows.findWorker(sql, organizationId, workerId);

/** Throws worker_revoked when a worker was removed, whose credential is good for itself. */
export const checkEnrolled = async (ctx: Pick<Context, 'sql' | 'hints'>, { organization_id, worker_id }: WorkerIdentity) => {
  if ((await find(ctx, organization_id, worker_id)) === null) throw refusal('worker_revoked');
};

export const get = async (ctx: Pick<Context, 'sql' | 'hints'>, who: Who, workerId: string) => {
  const worker = await find(ctx, who.organization_id, workerId);
  if (worker === null) throw missing();
  return worker;
};

/** Who holds nothing beats to Redis only: Postgres has not heard of it for long. */
export const withPresence = async <T extends Pick<Worker, 'worker_id' | 'status'>>(
  { hints }: Pick<Context, 'hints'>,
  workers: readonly T[],
): Promise<T[]> => {
  const statuses = await hints.presence(workers.map((worker) => worker.worker_id));
  return workers.map((worker, at) => ({ ...worker, status: statuses[at] ?? worker.status }));
};

export const list = async (
  ctx: Pick<Context, 'reads' | 'hints'>,
  who: Who,
  { status, cursor, limit }: { status?: WorkerStatus | undefined; cursor?: string | undefined; limit: number },
) => {
  const asked = { status, after: timeCursor(cursor), limit: limit + 1 };
  const found = await ctx.reads(['workers', who.organization_id, asked], (sql) => rows.listWorkers(sql, who.organization_id, asked));
  return pageOf(await withPresence(ctx, found), limit, (last) => [last.registered_at, last.worker_id]);
};

/** Changes a worker if it is still at `version`; else version_conflict. */
export const update = async (ctx: Announcing, who: Who, workerId: string, version: number, change: rows.WorkerChanges) => {
  const worker = await commit(ctx, async (sql) => {
    const changed = await rows.updateWorker(sql, who.organization_id, workerId, version, change);
    if (changed !== null) await rows.leaveWorker(sql, who.organization_id, workerId);
    return changed;
  });
  if (worker !== null) await ctx.hints.noteWorker({ ...worker, organization_id: who.organization_id, deleted: false });
  if (worker !== null) return worker;
  const now = await get(ctx, who, workerId);
  throw new AppError('version_conflict', `The worker is at version ${now.version}, not ${version}; read it again and repeat`);
};

export const remove = async (ctx: Announcing, who: Who, workerId: string) => {
  const worker = { organization_id: who.organization_id, worker_id: workerId };
  const remove = async (sql: Sql) => {
    if (!(await rows.removeWorker(sql, who.organization_id, workerId))) throw missing();
    await rows.leaveWorker(sql, who.organization_id, workerId);
  };
  await commit(ctx, remove, (changed) => ctx.hints.forgetWorker(worker, changed));
  return { worker_id: workerId, deleted: true as const };
};

const claimed = ({ env }: Pick<Context, 'env'>, answer: { error: string } | rows.Claim) => {
  if ('error' in answer) throw refusal(answer.error);
  return { ...answer, claim_poll_ms: env.CLAIM_POLL_MS };
};

/** So many for each one that is wanted, since others take from them at the same time. */
const WINDOW = 4;

/** What Redis proposes; empty when nothing is ready, null when Postgres has to look. */
const proposals = async ({ hints }: Workers, worker: WorkerPrincipal, { tools, limit, repeated }: ClaimSpec): Promise<string[] | null> =>
  tools === undefined || repeated ? null : hints.propose(worker.organization_id, tools, limit * WINDOW);

/** Leases ready subtasks to the worker, in one round trip. */
export const claim = async (ctx: Workers, worker: WorkerPrincipal, spec: ClaimSpec) => {
  const window = await proposals(ctx, worker, spec);
  if (window?.length === 0) return claimed(ctx, { claimed: [], empty_reason: 'nothing_ready' });
  const answer = await ctx.advance({ ctx, worker, completions: [], claim: { ...spec, window } });
  return claimed(ctx, answer.claim ?? { error: 'worker_revoked' });
};

const judged = (answer: CompletionAnswer) =>
  'error' in answer
    ? { ok: false as const, subtask_id: answer.subtask_id, code: answer.error, detail: refusal(answer.error).message }
    : { ok: true as const, ...answer };

const isRevoked = (answer: CompletionAnswer) => 'error' in answer && answer.error === 'worker_revoked';

/** Completes what is done, each judged by itself, and claims the next if it is asked for; in one round trip. */
export const complete = async (ctx: Workers, worker: WorkerPrincipal, { completions, claim: next }: CompleteManySpec) => {
  const items = completions.map((spec) => completion(spec.subtask_id, spec));
  const { results, claim } = await ctx.advance({ ctx, worker, completions: items, claim: next ? { ...next, window: null } : null });
  if (results.some(isRevoked)) throw refusal('worker_revoked');
  return { results: results.map(judged), claim: claim === null ? null : claimed(ctx, claim) };
};

/** One that holds nothing and has not changed is answered by Redis alone, where Redis knows it; else its change is announced. */
const beat = async (ctx: Workers, worker: WorkerPrincipal, spec: HeartbeatSpec): Promise<rows.Beat> => {
  const known = await ctx.hints.beat(worker, {
    running: spec.leases.length,
    slots: spec.slots ?? null,
    info: spec.info ?? {},
  });
  const { agent_version } = spec.info ?? {};
  const isUpdated = agent_version !== undefined && agent_version !== known?.agentVersion;
  if (known?.mode && !known.isChanged && spec.leases.length === 0 && !isUpdated) return { mode: known.mode, leases: [] };
  const answer = await rows.heartbeat(ctx.sql, worker, spec, ctx.env.LEASE_MS);
  if ('error' in answer) throw refusal(answer.error);
  if (known?.mode === null || known?.isChanged) await commit(ctx, (sql) => rows.leaveWorker(sql, worker.organization_id, worker.worker_id));
  return answer;
};

export const heartbeat = async (ctx: Workers, worker: WorkerPrincipal, spec: HeartbeatSpec): Promise<HeartbeatAnswer> => {
  const answer = await beat(ctx, worker, spec);
  return { ...answer, intervals: intervals(ctx), credential: worker.nears_end ? await ctx.tokens.sign(worker) : null };
};
