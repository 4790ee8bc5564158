import type { Env } from '../../../schema/env.ts';
import { createBatches, isCausedByOne } from '../batches.ts';
import type { WorkerIdentity } from '../principal.ts';
import { announce, type Announcing } from '../outbox/outbox.ts';
import type { Sql } from '../ports/sql.ts';
import { repeating } from '../transact.ts';
import { type Claim, completeAndClaim, type Completion, type CompletionAnswer, type NextClaim } from './attempts.sql.ts';

type Advancing = Announcing & { sql: Sql; env: Pick<Env, 'LEASE_MS'>; isUnavailable(error: unknown): boolean };
/** What a worker finished and what it wants next; either may be missing. */
export type WorkerStep = { ctx: Advancing; worker: WorkerIdentity; completions: readonly Completion[]; claim: NextClaim | null };
export type StepAnswer = { results: CompletionAnswer[]; claim: { error: string } | Claim | null };
export type Advance = (step: WorkerStep) => Promise<StepAnswer>;

/** Completions and subtasks to claim in one statement: its answer and its outbox rows stay small. */
const MOST_WEIGHT = 500;
const MOST_WAITING = 10_000;

const runSteps = async (steps: readonly WorkerStep[]): Promise<Promise<StepAnswer>[]> => {
  const [{ ctx }] = steps as [WorkerStep];
  const work = () => completeAndClaim(ctx.sql, steps, ctx.env.LEASE_MS);
  const { answer, outbox } = await (steps.length === 1 ? repeating(work) : work());
  // A claim alone has read Redis already, and one Redis call per request is enough: what it started is visible when its events arrive.
  const updatesRedis = steps.some(({ completions }) => completions.length > 0);
  const announced = announce(ctx, { outbox, updatesRedis });
  let first = 0;
  return steps.map(async ({ completions }, at) => {
    const results = answer.results.slice(first, (first += completions.length));
    await announced;
    return { results, claim: answer.claims?.[at] ?? null };
  });
};

/** Steps of workers that arrive together share statements; a statement has one organization, and one step of each worker. */
export const createAdvance = (): Advance =>
  createBatches<WorkerStep, StepAnswer>({
    groupOf: ({ worker }) => worker.organization_id,
    keyOf: ({ worker }) => worker.worker_id,
    weightOf: ({ completions, claim }) => completions.length + (claim?.limit ?? 0),
    mostWeight: MOST_WEIGHT,
    isAbandoned: ({ ctx }) => ctx.sql.signal?.aborted ?? false,
    mostWaiting: MOST_WAITING,
    run: runSteps,
    isWorthATryAlone: ([first], error) => isCausedByOne(error, first?.ctx.isUnavailable(error) ?? true),
  });
