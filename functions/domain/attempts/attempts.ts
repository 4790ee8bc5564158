import { jsonBytes } from '../../../schema/json.ts';
import type { ClaimSpec, CompleteManySpec, CompleteSpec, FailSpec } from '../../../schema/worker.ts';
import { jsonHash } from '../canonical.ts';
import type { Context } from '../context.ts';
import type { WorkerIdentity, WorkerPrincipal } from '../principal.ts';
import { refusal } from '../refusal.ts';
import { commitStatement } from '../unit-of-work.ts';
import * as rows from './attempts.sql.ts';

type Attempts = Pick<Context, 'sql' | 'queues' | 'hints' | 'log'>;
type Completing = Attempts & Pick<Context, 'env' | 'isUnavailable' | 'advance'>;

const accepted = <T extends object>(answer: T): Exclude<T, { error: string }> => {
  if ('error' in answer) throw refusal(String(answer.error));
  return answer as Exclude<T, { error: string }>;
};

const claimed = ({ env }: Pick<Context, 'env'>, answer: { error: string } | rows.Claim) => {
  if ('error' in answer) throw refusal(answer.error);
  return { ...answer, claim_poll_ms: env.CLAIM_POLL_MS };
};

/** Proposals for each subtask to claim, since other workers claim from the same ones at the same time. */
const WINDOW = 4;

/** The subtasks that Redis proposes; empty when nothing is ready, null when Postgres has to search. */
const proposals = async (
  { hints }: Pick<Context, 'hints'>,
  worker: WorkerPrincipal,
  { tools, limit, repeated }: ClaimSpec,
): Promise<string[] | null> => (tools === undefined || repeated ? null : hints.propose(worker.organization_id, tools, limit * WINDOW));

/** Leases ready subtasks to the worker, in one round trip. */
export const claim = async (ctx: Completing, worker: WorkerPrincipal, spec: ClaimSpec) => {
  const window = await proposals(ctx, worker, spec);
  if (window?.length === 0) return claimed(ctx, { claimed: [], empty_reason: 'nothing_ready' });
  const answer = await ctx.advance({ ctx, worker, completions: [], claim: { ...spec, window } });
  return claimed(ctx, answer.claim ?? { error: 'worker_revoked' });
};

export const start = async (ctx: Attempts, worker: WorkerIdentity, it: rows.Fenced) => {
  const { answer } = await commitStatement(ctx, (sql) => rows.startSubtask(sql, worker, it));
  return { subtask_id: it.subtask_id, status: accepted(answer).status };
};

/** A completion as complete_and_claim.sql takes it. */
export const completion = (subtaskId: string, spec: CompleteSpec): rows.Completion => ({
  subtask_id: subtaskId,
  lease_token: spec.lease_token,
  attempt: spec.attempt,
  result: spec.result ?? null,
  result_bytes: spec.result === undefined ? 0 : jsonBytes(spec.result),
  result_artifact_id: spec.result_artifact_id ?? null,
  usage: spec.usage ?? null,
  hash: jsonHash({ result: spec.result ?? null, result_artifact_id: spec.result_artifact_id ?? null }),
});

export const complete = async (ctx: Completing, worker: WorkerIdentity, subtaskId: string, spec: CompleteSpec) => {
  const { results } = await ctx.advance({ ctx, worker, completions: [completion(subtaskId, spec)], claim: null });
  return accepted(results[0] ?? { error: 'subtask_not_found' });
};

const completionResult = (answer: rows.CompletionAnswer) =>
  'error' in answer
    ? { ok: false as const, subtask_id: answer.subtask_id, code: answer.error, detail: refusal(answer.error).message }
    : { ok: true as const, ...answer };

const isRevoked = (answer: rows.CompletionAnswer) => 'error' in answer && answer.error === 'worker_revoked';

/** Completes finished subtasks, each with its own result, and claims the next if requested; in one round trip. */
export const completeMany = async (ctx: Completing, worker: WorkerPrincipal, { completions, claim: next }: CompleteManySpec) => {
  const items = completions.map((spec) => completion(spec.subtask_id, spec));
  const { results, claim } = await ctx.advance({ ctx, worker, completions: items, claim: next ? { ...next, window: null } : null });
  if (results.some(isRevoked)) throw refusal('worker_revoked');
  return { results: results.map(completionResult), claim: claim === null ? null : claimed(ctx, claim) };
};

const end = async (ctx: Attempts, worker: WorkerIdentity, ending: rows.Ending) => {
  const { answer } = await commitStatement(ctx, (sql) => rows.failSubtask(sql, worker, ending));
  return { subtask_id: ending.subtask_id, ...accepted(answer) };
};

export const fail = (ctx: Attempts, worker: WorkerIdentity, subtaskId: string, spec: FailSpec) => {
  const { lease_token, attempt, failure_class, message } = spec;
  const hash = jsonHash({ failure_class, message });
  return end(ctx, worker, {
    subtask_id: subtaskId,
    lease_token,
    attempt,
    outcome: 'failed',
    failure_class,
    message,
    usage: spec.usage ?? null,
    hash,
  });
};

export const release = (ctx: Attempts, worker: WorkerIdentity, it: rows.Fenced & { reason: string }) => {
  const { reason, ...fence } = it;
  const message = reason || 'its worker released it';
  return end(ctx, worker, { ...fence, outcome: 'released', failure_class: 'released', message, usage: null, hash: 'released' });
};
