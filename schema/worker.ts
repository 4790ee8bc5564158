import * as z from 'zod';
import { Fence, Progress } from './attempt.ts';
import { Id, Labels, Name, Timestamp, Tool } from './common.ts';
import { atMostBytes, Json, JsonObject, LIMITS } from './json.ts';
import { WorkerMode, WorkerStatus } from './states.ts';
import { FailureClass } from './task.ts';

const Tools = z
  .array(Tool)
  .min(1)
  .max(32)
  .refine((tools) => new Set(tools).size === tools.length, 'must not contain the same tool twice')
  .meta({ uniqueItems: true });
const Version = z.string().max(60);
const Slots = z.int().min(1).max(LIMITS.slots).describe('The number of subtasks that the worker carries out at the same time');

export const Worker = z
  .object({
    worker_id: Id,
    name: z.string(),
    machine_name: z.string(),
    status: WorkerStatus,
    mode: WorkerMode,
    tools: z.array(z.string()),
    labels: Labels,
    slots: z.int(),
    running: z.int().describe('The number of slots in use'),
    owner_ids: z
      .array(Id)
      .nullable()
      .describe('The owners whose subtasks the worker may claim; null means every owner in the organization'),
    agent_version: z.string(),
    version: z.int(),
    last_seen_at: Timestamp,
    registered_at: Timestamp,
  })
  .meta({ id: 'Worker' });
export type Worker = z.infer<typeof Worker>;

export const EnrolmentSpec = z
  .strictObject({
    tools: Tools.describe('The tools that the worker may offer'),
    labels: Labels.default({}).describe('The labels of the worker'),
    owner_ids: z
      .array(Id)
      .min(1)
      .max(100)
      .optional()
      .describe('The owners whose subtasks the worker may claim; if omitted, every owner in the organization'),
    expires_in_seconds: z.int().min(10).max(86_400).default(900),
  })
  .meta({ id: 'EnrolmentSpec' });
export type EnrolmentSpec = z.output<typeof EnrolmentSpec>;

export const EnrolmentToken = z.object({
  enrolment_token_id: Id,
  enrolment_token: z.string().describe('Returned only once; enrols one worker'),
  expires_at: Timestamp,
});

/** Unknown fields in what workers send are ignored: a worker may be newer than its platform. */
export const WorkerSpec = z
  .object({
    name: Name,
    machine_name: Name,
    tools: Tools.describe('The tools that the worker offers, all allowed by its enrolment token'),
    slots: Slots.default(1),
    agent_version: Version.default('unknown'),
    registration_id: Id.optional().describe(
      'An id that the worker chooses for this registration; a registration repeated with the same id returns the same worker',
    ),
  })
  .meta({ id: 'WorkerSpec' });
export type WorkerSpec = z.output<typeof WorkerSpec>;

/** A worker without a heartbeat for this long is offline: twice the idle heartbeat. */
export const PRESENCE_SECONDS = 120;

/** The intervals that the server sets for a worker, in milliseconds. */
export const Intervals = z
  .object({
    idle_heartbeat_ms: z.int(),
    busy_heartbeat_ms: z.int(),
    claim_poll_ms: z.int(),
    lease_ms: z.int(),
  })
  .meta({ id: 'Intervals' });
export type Intervals = z.infer<typeof Intervals>;

export const Registered = z.object({ worker: Worker, credential: z.string(), intervals: Intervals });

export const WorkerChange = z
  .strictObject({
    name: Name.optional(),
    labels: Labels.optional(),
    slots: Slots.optional(),
    mode: WorkerMode.optional().describe(
      'A paused or draining worker claims no new subtasks; a draining worker exits after its running subtasks',
    ),
    version: z
      .int()
      .min(1)
      .optional()
      .describe(
        'The version to change, as it was read; version_conflict if it is no longer current. The If-Match header can be sent instead',
      ),
  })
  .refine(({ version: _, ...change }) => Object.keys(change).length > 0, 'must change at least one of name, labels, slots, mode')
  .meta({ id: 'WorkerChange', description: 'At least one of name, labels, slots, mode' });
export type WorkerChange = z.output<typeof WorkerChange>;

export const HeartbeatSpec = z
  .object({
    leases: z
      .array(z.object({ subtask_id: Id, ...Fence, progress: Progress.optional() }))
      .max(LIMITS.slots)
      .default([]),
    slots: Slots.optional().describe('The number of slots of the worker; it is busy when none is free'),
    info: atMostBytes(JsonObject, 4_096)
      .refine(({ agent_version }) => Version.optional().safeParse(agent_version).success, {
        path: ['agent_version'],
        error: 'must be a string of at most 60 characters',
      })
      .optional()
      .describe('Facts about the machine, such as load and CPUs. An agent_version in it updates that of the worker'),
  })
  .meta({ id: 'HeartbeatSpec' });
export type HeartbeatSpec = z.output<typeof HeartbeatSpec>;

export const HeartbeatAnswer = z.object({
  leases: z.array(
    z.object({
      subtask_id: Id,
      attempt: z.int(),
      state: z.enum(['renewed', 'lost']),
      left_ms: z
        .int()
        .nullable()
        .default(null)
        .describe(
          'How long the lease is still valid, in milliseconds. It is not extended to the full time while another transaction changes the attempt',
        ),
      directive: z.enum(['cancel']).nullable().describe('cancel: stop the work, because its task or subtask has ended'),
    }),
  ),
  mode: WorkerMode,
  intervals: Intervals,
  credential: z.string().nullable().describe('A new credential, if the current one expires soon'),
});
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>;

export const ClaimSpec = z
  .object({
    claim_request_id: Id.describe(
      'An id that the worker chooses for each claim; a claim repeated with the same id returns the same subtasks',
    ),
    limit: z.int().min(1).max(LIMITS.batch).default(1),
    start: z.boolean().default(false).describe('Whether to also start the claimed subtasks, where that is possible without waiting'),
    tools: Tools.optional().describe(
      'The tools that the worker offers. If no subtask is waiting for them, the claim does not read the database',
    ),
    repeated: z.boolean().optional().describe('Whether a response to this claim_request_id may have been lost'),
  })
  .meta({ id: 'ClaimSpec' });
export type ClaimSpec = z.output<typeof ClaimSpec>;

export const EmptyReason = z.enum(['nothing_ready', 'no_free_slot', 'worker_paused', 'worker_draining']);
export type EmptyReason = z.infer<typeof EmptyReason>;

const Result = atMostBytes(Json, LIMITS.result_bytes);
const Ending = {
  ...Fence,
  usage: atMostBytes(JsonObject, 4_096).optional().describe('Tokens, cost and similar figures, as reported by the tool'),
};

export const CompleteSpec = z
  .object({
    ...Ending,
    result: Result.optional().describe(
      `The result, at most ${LIMITS.result_bytes} bytes as JSON; store a larger one as an artifact and set result_artifact_id`,
    ),
    result_artifact_id: Id.optional(),
  })
  .refine((it) => it.result === undefined || it.result_artifact_id === undefined, 'must have result or result_artifact_id, not both');
export type CompleteSpec = z.output<typeof CompleteSpec>;

export const CompleteManySpec = z.object({
  completions: z
    .array(CompleteSpec.safeExtend({ subtask_id: Id }))
    .min(1)
    .max(LIMITS.batch)
    .refine((list) => new Set(list.map((it) => it.subtask_id)).size === list.length, 'must not contain the same subtask twice'),
  claim: ClaimSpec.optional().describe('Claim the next subtasks in the same request'),
});
export type CompleteManySpec = z.output<typeof CompleteManySpec>;

export const FailSpec = z
  .object({
    ...Ending,
    failure_class: FailureClass,
    message: z.string().max(LIMITS.message_characters).default(''),
  })
  .meta({ id: 'FailSpec' });
export type FailSpec = z.output<typeof FailSpec>;

export const ReleaseSpec = z.object({ ...Fence, reason: z.string().max(LIMITS.reason_characters).default('') });
