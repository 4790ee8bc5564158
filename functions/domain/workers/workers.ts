import { AppError } from '../../../schema/errors.ts';
import type { WorkerStatus } from '../../../schema/states.ts';
import type {
  ClaimSpec,
  CompleteManySpec,
  EnrolmentSpec,
  HeartbeatAnswer,
  HeartbeatSpec,
  Intervals,
  WorkerSpec,
} from '../../../schema/worker.ts';
import type { Context } from '../context.ts';
import { pageOf, timeCursor } from '../page.ts';
import type { Caller, WorkerPrincipal } from '../principal.ts';
import { newSecret, secretHash } from '../secrets.ts';
import type { CompletionAnswer } from '../subtasks/subtasks.sql.ts';
import { completeMany, completion, refusal } from '../subtasks/subtasks.ts';
import { repeating, transact } from '../transact.ts';
import * as rows from './workers.sql.ts';

type Who = Pick<Caller, 'organization_id'>;
type Workers = Pick<Context, 'sql' | 'env' | 'tokens'>;

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
  const { worker, organizationId } = await transact(ctx.sql, async (sql) => {
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
    return { worker: await rows.insertWorker(sql, token, spec), organizationId };
  });
  const credential = await ctx.tokens.sign({ worker_id: worker.worker_id, organization_id: organizationId });
  return { worker, credential, intervals: intervals(ctx) };
};

export const get = async (ctx: Pick<Context, 'sql'>, who: Who, workerId: string) => {
  const worker = await rows.findWorker(ctx.sql, who.organization_id, workerId);
  if (worker === null) throw missing();
  return worker;
};

export const list = async (
  ctx: Pick<Context, 'sql'>,
  who: Who,
  { status, cursor, limit }: { status?: WorkerStatus | undefined; cursor?: string | undefined; limit: number },
) => {
  const found = await rows.listWorkers(ctx.sql, who.organization_id, { status, after: timeCursor(cursor), limit: limit + 1 });
  return pageOf(found, limit, (last) => [last.registered_at, last.worker_id]);
};

/** Changes a worker if it is still at `version`; else version_conflict. */
export const update = async (ctx: Pick<Context, 'sql'>, who: Who, workerId: string, version: number, change: rows.WorkerChanges) => {
  const worker = await rows.updateWorker(ctx.sql, who.organization_id, workerId, version, change);
  if (worker !== null) return worker;
  const now = await get(ctx, who, workerId);
  throw new AppError('version_conflict', `The worker is at version ${now.version}, not ${version}; read it again and repeat`);
};

export const remove = async (ctx: Pick<Context, 'sql'>, who: Who, workerId: string) => {
  const removed = await transact(ctx.sql, (sql) => rows.removeWorker(sql, who.organization_id, workerId));
  if (!removed) throw missing();
  return { worker_id: workerId, deleted: true as const };
};

const claimed = ({ env }: Pick<Context, 'env'>, answer: { error: string } | rows.Claim) => {
  if ('error' in answer) throw refusal(answer.error);
  return { ...answer, claim_poll_ms: env.CLAIM_POLL_MS };
};

/** Leases ready subtasks to the worker, in one round trip. */
export const claim = async (ctx: Workers, worker: WorkerPrincipal, spec: ClaimSpec) =>
  claimed(ctx, await repeating(() => rows.claimSubtasks(ctx.sql, worker, spec, ctx.env.LEASE_MS)));

const judged = (answer: CompletionAnswer) =>
  'error' in answer
    ? { ok: false as const, subtask_id: answer.subtask_id, code: answer.error, detail: refusal(answer.error).message }
    : { ok: true as const, ...answer };

/** Completes what is done and claims the next, in one round trip. */
const completeAndClaim = async (ctx: Workers, worker: WorkerPrincipal, completions: CompleteManySpec['completions'], next: ClaimSpec) => {
  const items = completions.map((spec) => completion(spec.subtask_id, spec));
  const { results, claim: answer } = await repeating(() => rows.completeAndClaim(ctx.sql, worker, items, next, ctx.env.LEASE_MS));
  return { results: results.map(judged), claim: claimed(ctx, answer) };
};

/** Completes what is done, each judged by itself, and claims the next if it is asked for. */
export const complete = async (ctx: Workers, worker: WorkerPrincipal, { completions, claim: next }: CompleteManySpec) => {
  if (next !== undefined) return completeAndClaim(ctx, worker, completions, next);
  const answers = await completeMany(ctx, worker, completions);
  if (answers.some((answer) => 'error' in answer && answer.error === 'worker_revoked')) throw refusal('worker_revoked');
  return { results: answers.map(judged), claim: null };
};

export const heartbeat = async (ctx: Workers, worker: WorkerPrincipal, spec: HeartbeatSpec): Promise<HeartbeatAnswer> => {
  const beat = await rows.heartbeat(ctx.sql, worker, spec, ctx.env.LEASE_MS);
  if ('error' in beat) throw refusal(beat.error);
  return { ...beat, intervals: intervals(ctx), credential: worker.nears_end ? await ctx.tokens.sign(worker) : null };
};
