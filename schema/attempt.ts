import * as z from 'zod';
import { Id, Labels, Timestamp } from './common.ts';
import { Json, LIMITS } from './json.ts';
import { AttemptStatus, SubtaskStatus } from './states.ts';
import { SubtaskError, WorkFields } from './task.ts';

/** The fence: sent with every write of a worker, which is refused with lease_lost unless both fields are current. */
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

/** The output of a parent: its result or, if that is too large to be included, a reference for GET …/inputs/{key}. */
export const InputValue = z
  .object({
    subtask_id: Id,
    status: SubtaskStatus,
    result: Json,
    result_artifact_id: Id.nullable(),
    included: z.boolean().describe('Whether the result is included; if not, fetch it with getInput'),
  })
  .meta({ id: 'InputValue' });
export type InputValue = z.infer<typeof InputValue>;

/** A leased subtask with everything that a worker needs to carry it out. */
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
    inputs: z.record(z.string(), InputValue).describe('The outputs of the parents, by their keys'),
    labels: Labels,
    ...WorkFields,
    attempt: z.int(),
    lease_token: Id,
    lease_seconds: z.number().describe('The duration of the lease; renew it with a heartbeat before it ends'),
    started: z.boolean().describe('Whether the subtask is already started; if not, call startSubtask before the work'),
  })
  .meta({ id: 'Claimed' });
export type Claimed = z.infer<typeof Claimed>;
