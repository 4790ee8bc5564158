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
  .refine((tools) => new Set(tools).size === tools.length, 'must not name a tool twice')
  .meta({ uniqueItems: true });
const Version = z.string().max(60);
const Slots = z.int().min(1).max(LIMITS.slots).describe('How many subtasks it carries out at once');

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
    running: z.int().describe('Slots in use'),
    owner_ids: z.array(Id).nullable().describe('Whose subtasks it may take; null means anyone of the organization'),
    agent_version: z.string(),
    version: z.int(),
    last_seen_at: Timestamp,
    registered_at: Timestamp,
  })
  .meta({ id: 'Worker' });
export type Worker = z.infer<typeof Worker>;

export const EnrolmentSpec = z
  .strictObject({
    tools: Tools.describe('The most that the worker may offer'),
    labels: Labels.default({}).describe('Labels that the worker will have'),
    owner_ids: z.array(Id).min(1).max(100).optional().describe('Whose subtasks it may take; left out, anyone of the organization'),
    expires_in_seconds: z.int().min(10).max(86_400).default(900),
  })
  .meta({ id: 'EnrolmentSpec' });
export type EnrolmentSpec = z.output<typeof EnrolmentSpec>;

export const EnrolmentToken = z.object({
  enrolment_token_id: Id,
  enrolment_token: z.string().describe('Shown once; good for one worker'),
  expires_at: Timestamp,
});

/** In what workers send, fields that are not known here are left out: a worker may be newer than its platform. */
export const WorkerSpec = z
  .object({
    name: Name,
    machine_name: Name,
    tools: Tools.describe('At most those of the enrolment token'),
    slots: Slots.default(1),
    agent_version: Version.default('unknown'),
    registration_id: Id.optional().describe("The worker's own id of this registration: repeated with it, the same worker is answered"),
  })
  .meta({ id: 'WorkerSpec' });
export type WorkerSpec = z.output<typeof WorkerSpec>;

/** A worker without a heartbeat for this long is offline: twice the idle heartbeat. */
export const PRESENCE_SECONDS = 120;

/** What the server wants of a worker's clocks, in milliseconds. */
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
    mode: WorkerMode.optional().describe('paused and draining claim nothing new; a drained worker ends'),
    version: z.int().min(1).optional().describe('Refused with version_conflict unless it is current'),
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
    slots: Slots.optional().describe('How many it has; busy is who has none free'),
    info: atMostBytes(JsonObject, 4_096)
      .refine(({ agent_version }) => Version.optional().safeParse(agent_version).success, {
        path: ['agent_version'],
        error: 'must be a text of at most 60 characters',
      })
      .optional()
      .describe('load, cpus and the like; an agent_version in it is from then on that of the worker'),
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
        .describe('How long the lease is good; less than the whole time while something else changes the attempt'),
      directive: z.enum(['cancel']).nullable().describe('cancel: stop the work, its task or subtask was ended'),
    }),
  ),
  mode: WorkerMode,
  intervals: Intervals,
  credential: z.string().nullable().describe('A fresh credential when the present one nears its end'),
});
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>;

export const ClaimSpec = z
  .object({
    claim_request_id: Id.describe('Made by the worker for each claim; repeated, the same subtasks are answered'),
    limit: z.int().min(1).max(LIMITS.batch).default(1),
    start: z.boolean().default(false).describe('Start at once what can be started without waiting'),
    tools: Tools.optional().describe('What the worker offers: where nothing waits for these, the answer needs no look at the database'),
    repeated: z.boolean().optional().describe('The answer to this claim_request_id may have been lost'),
  })
  .meta({ id: 'ClaimSpec' });
export type ClaimSpec = z.output<typeof ClaimSpec>;

export const EmptyReason = z.enum(['nothing_ready', 'no_free_slot', 'worker_paused', 'worker_draining']);
export type EmptyReason = z.infer<typeof EmptyReason>;

const Result = atMostBytes(Json, LIMITS.result_bytes);
const Ending = {
  ...Fence,
  usage: atMostBytes(JsonObject, 4_096).optional().describe('Tokens, cost and the like, as the tool told them'),
};

export const CompleteSpec = z
  .object({
    ...Ending,
    result: Result.optional().describe(`At most ${LIMITS.result_bytes} bytes as JSON; larger ones go by artifact`),
    result_artifact_id: Id.optional(),
  })
  .refine((it) => it.result === undefined || it.result_artifact_id === undefined, 'must have result or result_artifact_id, not both');
export type CompleteSpec = z.output<typeof CompleteSpec>;

export const CompleteManySpec = z.object({
  completions: z
    .array(CompleteSpec.safeExtend({ subtask_id: Id }))
    .min(1)
    .max(LIMITS.batch)
    .refine((list) => new Set(list.map((it) => it.subtask_id)).size === list.length, 'must not name a subtask twice'),
  claim: ClaimSpec.optional().describe('Claim the next in the same request'),
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
