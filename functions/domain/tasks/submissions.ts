import { randomUUID } from 'node:crypto';
import type { Task } from '../../../schema/task.ts';
import { createBatches, isCausedByOne } from '../batches.ts';
import { repeated } from '../idempotency.ts';
import { announce, type Announcing } from '../outbox/outbox.ts';
import type { Sql } from '../ports/sql.ts';
import type { Vault } from '../ports/vault.ts';
import { repeating } from '../transact.ts';
import { type Submission, submitTasks } from './tasks.sql.ts';

type Submitting = Announcing & { sql: Sql; vault: Vault; isUnavailable(error: unknown): boolean };
export type Submit = (submission: Submission & { ctx: Submitting }) => Promise<Task>;

/** Tasks and subtasks in one statement: its answer and its outbox rows stay small. */
const MOST_WEIGHT = 500;

const runSubmissions = async (submissions: readonly (Submission & { ctx: Submitting })[]): Promise<Promise<Task>[]> => {
  const [{ ctx }] = submissions as [Submission & { ctx: Submitting }];
  const work = () => submitTasks(ctx.sql, submissions);
  const { answers, outbox } = await (submissions.length === 1 ? repeating(work) : work());
  const announced = announce(ctx, { outbox });
  return submissions.map(async ({ once }, at) => {
    const answer = answers[at] as (typeof answers)[number];
    if ('stored' in answer) return repeated(ctx, answer.stored, once) as Task;
    await announced;
    return answer.task;
  });
};

/** Tasks that are submitted to an organization at the same time share statements; while `mostWaiting` wait, more are refused at once. */
export const createSubmit = (mostWaiting: number): Submit =>
  createBatches<Submission & { ctx: Submitting }, Task>({
    groupOf: ({ caller }) => caller.organization_id,
    keyOf: ({ caller, once }) => (once === null ? randomUUID() : `${caller.principal_id} ${once.key}`),
    weightOf: ({ subtasks }) => subtasks.length + 1,
    mostWeight: MOST_WEIGHT,
    isAbandoned: ({ ctx }) => ctx.sql.signal?.aborted ?? false,
    mostWaiting,
    run: runSubmissions,
    isWorthATryAlone: ([first], error) => isCausedByOne(error, first?.ctx.isUnavailable(error) ?? true),
  });
