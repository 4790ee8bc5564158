import * as z from 'zod';
import { Attempt, Fence, InputValue } from '../attempt.ts';
import { Artifact, ArtifactSpec, Transfer } from '../artifact.ts';
import { Id, queryInt } from '../common.ts';
import { Explanation } from '../explain.ts';
import { LIMITS } from '../json.ts';
import { LogChunk, LogChunkSpec } from '../log.ts';
import { route } from '../route.ts';
import { SubtaskStatus, TaskStatus } from '../states.ts';
import { Subtask, SubtaskKey } from '../task.ts';
import { CompleteSpec, FailSpec, ReleaseSpec } from '../worker.ts';

const one = { tag: 'subtasks', status: 200, params: z.strictObject({ subtask_id: Id }) } as const;
const read = { ...one, method: 'GET', access: 'tasks:read' } as const;
const work = { ...one, method: 'POST', access: 'worker' } as const;

export const getSubtask = route({
  ...read,
  name: 'getSubtask',
  path: '/api/v1/subtasks/{subtask_id}',
  summary: 'Get a subtask with its latest attempts, newest first, at most 100',
  output: Subtask.extend({ attempt_list: z.array(Attempt) }),
  errors: ['subtask_not_found'],
});

export const listLogs = route({
  ...read,
  name: 'listLogs',
  path: '/api/v1/subtasks/{subtask_id}/logs',
  summary: 'List the log of an attempt: what the tool printed',
  query: z.strictObject({
    attempt: queryInt(0, 1_000_000, 0).describe('The attempt number; 0 means the latest attempt'),
    after_chunk: queryInt(-1, LIMITS.log_chunks_per_attempt, -1).describe('Return the chunks after this number; -1 starts at the first'),
    limit: queryInt(1, LIMITS.page, 50),
  }),
  output: z.object({
    attempt: z.int(),
    items: z.array(LogChunk),
    more: z.boolean().describe('Whether further chunks are available now'),
    complete: z.boolean().describe('Whether the attempt has ended and no further chunks exist'),
  }),
  errors: ['subtask_not_found'],
});

export const explainSubtask = route({
  ...read,
  name: 'explainSubtask',
  path: '/api/v1/subtasks/{subtask_id}/explain',
  summary: 'Explain what a subtask is waiting for and, for each worker, whether it may claim the subtask',
  output: Explanation,
  errors: ['subtask_not_found'],
});

export const listArtifacts = route({
  ...read,
  name: 'listArtifacts',
  path: '/api/v1/subtasks/{subtask_id}/artifacts',
  summary: 'List up to 200 artifacts: files produced by the attempts at a subtask',
  output: z.object({ items: z.array(Artifact) }),
  errors: ['subtask_not_found'],
});

export const getArtifact = route({
  name: 'getArtifact',
  method: 'GET',
  path: '/api/v1/artifacts/{artifact_id}',
  access: 'tasks:read',
  tag: 'artifacts',
  summary: 'Get an artifact and the request that downloads its bytes',
  params: z.strictObject({ artifact_id: Id }),
  output: Artifact.extend({ download: Transfer.nullable().describe('The request that downloads the bytes; null until they are stored') }),
  status: 200,
  errors: ['artifact_not_found'],
});

export const startSubtask = route({
  ...work,
  name: 'startSubtask',
  path: '/api/v1/subtasks/{subtask_id}/start',
  summary: 'Start a claimed subtask',
  body: z.object(Fence),
  output: z.object({ subtask_id: Id, status: SubtaskStatus }),
  errors: ['subtask_not_found', 'lease_lost', 'worker_revoked'],
});

export const getInput = route({
  ...one,
  method: 'GET',
  access: 'worker',
  name: 'getInput',
  path: '/api/v1/subtasks/{subtask_id}/inputs/{key}',
  summary: 'Get the output of a parent, for a subtask that the worker holds',
  params: z.strictObject({ subtask_id: Id, key: SubtaskKey }),
  output: InputValue.extend({ download: Transfer.nullable() }),
  errors: ['subtask_not_found', 'lease_lost', 'worker_revoked'],
});

export const appendLogs = route({
  ...work,
  name: 'appendLogs',
  path: '/api/v1/subtasks/{subtask_id}/logs',
  summary: 'Append numbered log chunks; a chunk that is already stored is ignored',
  body: z.object({ ...Fence, chunks: z.array(LogChunkSpec).min(1).max(LIMITS.log_chunks_per_request) }),
  output: z.object({ next_chunk: z.int().describe('All chunks below this number are stored') }),
  errors: ['subtask_not_found', 'lease_lost', 'worker_revoked'],
});

export const createArtifact = route({
  ...work,
  name: 'createArtifact',
  path: '/api/v1/subtasks/{subtask_id}/artifacts',
  summary: 'Create an artifact and get the request that uploads its bytes; the same name and hash return the same artifact',
  body: ArtifactSpec,
  output: Artifact.extend({ upload: Transfer.nullable().describe('The request that uploads the bytes; null if they are already stored') }),
  status: 201,
  errors: ['subtask_not_found', 'lease_lost', 'worker_revoked', 'artifact_mismatch', 'too_many'],
});

export const storeArtifact = route({
  ...work,
  name: 'storeArtifact',
  path: '/api/v1/subtasks/{subtask_id}/artifacts/{artifact_id}/stored',
  summary: 'Confirm that the bytes of an artifact are uploaded; their size and hash are verified',
  params: z.strictObject({ subtask_id: Id, artifact_id: Id }),
  body: z.object(Fence),
  output: Artifact,
  errors: ['subtask_not_found', 'artifact_not_found', 'artifact_not_stored', 'artifact_mismatch', 'lease_lost', 'worker_revoked'],
});

export const Ended = z.object({ subtask_id: Id, status: SubtaskStatus, task_status: TaskStatus });

export const completeSubtask = route({
  ...work,
  name: 'completeSubtask',
  path: '/api/v1/subtasks/{subtask_id}/complete',
  summary: 'Complete a subtask; the same result sent again returns the same response',
  body: CompleteSpec,
  output: Ended,
  errors: ['subtask_not_found', 'lease_lost', 'worker_revoked', 'attempt_ended', 'artifact_not_found', 'artifact_not_stored'],
});

export const failSubtask = route({
  ...work,
  name: 'failSubtask',
  path: '/api/v1/subtasks/{subtask_id}/fail',
  summary: 'Report that an attempt failed; the server decides whether the subtask is retried',
  body: FailSpec,
  output: Ended,
  errors: ['subtask_not_found', 'lease_lost', 'worker_revoked', 'attempt_ended'],
});

export const releaseSubtask = route({
  ...work,
  name: 'releaseSubtask',
  path: '/api/v1/subtasks/{subtask_id}/release',
  summary: 'Release a subtask without a result, so that it can be claimed again',
  body: ReleaseSpec,
  output: Ended,
  errors: ['subtask_not_found', 'lease_lost', 'worker_revoked', 'attempt_ended'],
});
