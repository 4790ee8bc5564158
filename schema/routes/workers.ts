import * as z from 'zod';
import { Claimed } from '../attempt.ts';
import { Id, PageQuery, page } from '../common.ts';
import { route } from '../route.ts';
import { WorkerStatus } from '../states.ts';
import {
  ClaimSpec,
  CompleteManySpec,
  EmptyReason,
  EnrolmentSpec,
  EnrolmentToken,
  HeartbeatAnswer,
  HeartbeatSpec,
  Registered,
  Worker,
  WorkerChange,
  WorkerSpec,
} from '../worker.ts';
import { Ended } from './subtasks.ts';

const one = { tag: 'workers', status: 200, params: z.strictObject({ worker_id: Id }) } as const;
const work = { ...one, method: 'POST', access: 'worker' } as const;
const ClaimAnswer = z.object({
  claimed: z.array(Claimed),
  empty_reason: EmptyReason.nullable().describe('Why nothing was claimed; null if something was'),
  claim_poll_ms: z.int().describe('How long to wait before the next claim, with jitter'),
});

export const createEnrolmentToken = route({
  name: 'createEnrolmentToken',
  method: 'POST',
  path: '/api/v1/enrolment-tokens',
  access: 'workers:write',
  tag: 'workers',
  summary: 'Create an enrolment token, with which one worker can enrol',
  body: EnrolmentSpec,
  output: EnrolmentToken,
  status: 201,
  errors: [],
  idempotent: true,
  secret: true,
});

export const registerWorker = route({
  name: 'registerWorker',
  method: 'POST',
  path: '/api/v1/workers',
  access: 'enrolment',
  tag: 'workers',
  summary: 'Enrol a worker with its enrolment token; returns its credential',
  body: WorkerSpec,
  output: Registered,
  status: 201,
  errors: ['enrolment_refused', 'enrolment_mismatch'],
});

export const listWorkers = route({
  name: 'listWorkers',
  method: 'GET',
  path: '/api/v1/workers',
  access: 'workers:read',
  tag: 'workers',
  summary: 'List workers, newest first',
  query: z.strictObject({ status: WorkerStatus.optional(), ...PageQuery }),
  output: page(Worker),
  status: 200,
  errors: [],
});

export const getWorker = route({
  ...one,
  name: 'getWorker',
  method: 'GET',
  path: '/api/v1/workers/{worker_id}',
  access: 'workers:read',
  summary: 'Get a worker',
  output: Worker,
  errors: ['worker_not_found'],
});

export const updateWorker = route({
  ...one,
  name: 'updateWorker',
  method: 'PATCH',
  path: '/api/v1/workers/{worker_id}',
  access: 'workers:write',
  summary: 'Update a worker: name, labels, slots or mode',
  body: WorkerChange,
  output: Worker,
  errors: ['worker_not_found', 'version_conflict'],
  idempotent: true,
  etag: true,
});

export const deleteWorker = route({
  ...one,
  name: 'deleteWorker',
  method: 'DELETE',
  path: '/api/v1/workers/{worker_id}',
  access: 'workers:write',
  summary: 'Remove a worker: its credential is revoked and its subtasks are returned to the queue',
  output: z.object({ worker_id: Id, deleted: z.literal(true) }),
  errors: ['worker_not_found'],
  idempotent: true,
});

export const heartbeat = route({
  ...work,
  name: 'heartbeat',
  path: '/api/v1/workers/{worker_id}/heartbeat',
  summary: 'Report that the worker is alive, and renew the listed leases',
  body: HeartbeatSpec,
  output: HeartbeatAnswer,
  errors: ['worker_revoked'],
});

export const claimSubtasks = route({
  ...work,
  name: 'claimSubtasks',
  path: '/api/v1/workers/{worker_id}/claim',
  summary: 'Claim ready subtasks under a lease; a claim repeated with the same claim_request_id returns the same subtasks',
  body: ClaimSpec,
  output: ClaimAnswer,
  errors: ['worker_revoked'],
});

export const completeSubtasks = route({
  ...work,
  name: 'completeSubtasks',
  path: '/api/v1/workers/{worker_id}/complete',
  summary: 'Complete several subtasks, each with a result of its own, and optionally claim the next',
  body: CompleteManySpec,
  output: z.object({
    results: z.array(
      z.discriminatedUnion('ok', [
        Ended.extend({ ok: z.literal(true) }),
        z.object({ ok: z.literal(false), subtask_id: Id, code: z.string(), detail: z.string() }),
      ]),
    ),
    claim: ClaimAnswer.nullable(),
  }),
  errors: ['worker_revoked'],
});
