import * as z from 'zod';
import { Id, Labels, Timestamp } from './common.ts';
import { Json, LIMITS } from './json.ts';
import { AttemptStatus, SubtaskStatus } from './states.ts';
import { Checks, SubtaskError } from './task.ts';

/** What every write of a worker names; refused with lease_lost unless both are current. */
export const Fence = {
  lease_token: Id,
  attempt: z.int().min(1).max(1_000_000),
};

export const Progress = z.object({
  percent: z.number().min(0).max(100).optional(),
  message: z.string().max(LIMITS.reason_characters).optional(),
});

export const Attempt = z
  .object({
    attempt: z.int(),
    run: z.int(),
    worker_id: Id,
    status: AttemptStatus,
    failure_class: z.string().nullable(),
    error: SubtaskError.nullable(),
    progress: Json,
    usage: Json,
    lease_expires_at: Timestamp,
    claimed_at: Timestamp,
    started_at: Timestamp.nullable(),
    ended_at: Timestamp.nullable(),
  })
  .meta({ id: 'Attempt' });
export type Attempt = z.infer<typeof Attempt>;

/** The output of a parent: its result, or where the worker gets it (GET …/inputs/{key}) when it is too large to come along. */
export const InputValue = z
  .object({
    subtask_id: Id,
    status: SubtaskStatus,
    result: Json,
    result_artifact_id: Id.nullable(),
    included: z.boolean().describe('False: fetch the result by getInput'),
  })
  .meta({ id: 'InputValue' });
export type InputValue = z.infer<typeof InputValue>;

/** A leased subtask with all that a worker needs to carry it out. */
export const Claimed = z
  .object({
    subtask_id: Id,
    task_id: Id,
    key: z.string(),
    kind: z.string(),
    goal: z.string(),
    task_goal: z.string(),
    tool: z.string(),
    input: Json,
    inputs: z.record(z.string(), InputValue).describe('Outputs of the parents by their keys'),
    labels: Labels,
    timeout_seconds: z.int(),
    ...Checks,
    attempt: z.int(),
    lease_token: Id,
    lease_seconds: z.number().describe('Renew it by heartbeat within this many seconds'),
    started: z.boolean().describe('False: call start before the work'),
  })
  .meta({ id: 'Claimed' });
export type Claimed = z.infer<typeof Claimed>;
