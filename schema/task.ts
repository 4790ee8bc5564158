import * as z from 'zod';
import { Id, Labels, NOT_BLANK, Timestamp, Tool } from './common.ts';
import { atMostBytes, Json, JsonObject, LIMITS } from './json.ts';
import { RESULT_KEYWORDS, ResultSchema } from './result-schema.ts';
import { SubtaskStatus, TaskStatus } from './states.ts';

export const Goal = z.string().trim().min(1, 'must not be empty').max(LIMITS.goal_characters).meta(NOT_BLANK);
export const OnFailure = z.enum(['fail_task', 'continue']);
export const Priority = z.int().min(0).max(9).describe('From 0 to 9; a higher priority goes first');

/** Why an attempt failed. Only some classes are retried by default, see DEFAULT_RETRY_ON. */
export const FailureClass = z.enum([
  'tool_error',
  'timed_out',
  'rate_limited',
  'model_unavailable',
  'spawn_failed',
  'auth',
  'budget',
  'denied',
  'invalid_result',
  'verify_failed',
]);
export type FailureClass = z.infer<typeof FailureClass>;
export const DEFAULT_RETRY_ON = ['rate_limited', 'model_unavailable', 'spawn_failed'] as const satisfies FailureClass[];

export const Retry = z.strictObject({
  max_attempts: z.int().min(1).max(20).default(3).describe('The maximum number of attempts that fail or time out'),
  max_infra_attempts: z
    .int()
    .min(1)
    .max(50)
    .default(10)
    .describe('The maximum number of attempts that are lost with their worker or released by it'),
  on: z
    .array(FailureClass)
    .max(FailureClass.options.length)
    .default([...DEFAULT_RETRY_ON])
    .describe('The failure classes that are retried'),
  base_ms: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(1_000)
    .describe('The delay before the first retry; it doubles with each further retry, with jitter'),
  max_ms: z.int().min(0).max(86_400_000).default(60_000).describe('The maximum delay before a retry'),
});
export type Retry = z.infer<typeof Retry>;

export const SubtaskKey = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'must be 1 to 64 characters from A-Z, a-z, 0-9, _ . and -, starting with a letter or digit');

const Verify = atMostBytes(
  z.array(z.array(z.string().max(LIMITS.verify_bytes)).min(1, 'must not be empty: its first item is the command')).max(20),
  LIMITS.verify_bytes,
).describe('Commands that must exit with 0 after the tool has finished, each as an array of arguments; the worker must allow them');
/**
 * What is wrong with a schema of a result, for the parse of the whole task. Issues without a message of their own are passed on as they
 * were raised: that parse words them.
 */
const schemaIssues = (value: unknown): z.core.$ZodRawIssue[] => {
  const unworded: z.core.$ZodRawIssue[] = [];
  const error = (issue: z.core.$ZodRawIssue) => {
    unworded.push(issue);
    return '';
  };
  const { error: found } = ResultSchema.safeParse(value, { error });
  const worded = (found?.issues ?? []).filter(({ message }) => message !== '');
  return [...unworded, ...worded.map(({ message, path }) => ({ code: 'custom' as const, message, path, input: value, continue: true }))];
};

/** Stored as it was submitted: it is passed to models, which accept fewer ways to write the same schema. */
const Schema = atMostBytes(JsonObject, LIMITS.schema_bytes)
  .check(({ value, issues }) => void issues.push(...schemaIssues(value)))
  .describe(`A JSON Schema that the result must match. Supported keywords: ${RESULT_KEYWORDS.join(', ')}`);
const Silence = z.int().min(1).max(86_400);

/**
 * The fields of a subtask that its caller sets, the database stores and its worker receives, all unchanged. `request` is what callers may
 * submit. `answer` is what is returned: without limits, and with a default where older versions of the platform do not return the field.
 */
const WORK_FIELDS = {
  timeout_seconds: {
    request: z.int().min(1).max(86_400).default(3_600).describe('The maximum duration of one attempt'),
    answer: z.int(),
  },
  idle_timeout_seconds: {
    request: Silence.optional().describe(
      'The maximum time without any output or progress from the tool; if omitted, the setting of the worker applies',
    ),
    answer: z.int().nullable().default(null),
  },
  first_event_timeout_seconds: {
    request: Silence.optional().describe(
      'The maximum time until the first output or progress from the tool; if omitted, the setting of the worker applies',
    ),
    answer: z.int().nullable().default(null),
  },
  verify: { request: Verify.default([]), answer: z.array(z.array(z.string())).default([]) },
  result_schema: { request: Schema.optional(), answer: JsonObject.nullable().default(null) },
};

const sideOf = <F extends Record<string, Record<S, z.ZodType>>, S extends string>(fields: F, side: S) =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field[side]])) as { [K in keyof F]: F[K][S] };

/** The fields in responses: of a subtask and of a claim. */
export const WorkFields = sideOf(WORK_FIELDS, 'answer');

/** A node of the DAG, as submitted by a caller. */
export const SubtaskSpec = z
  .strictObject({
    key: SubtaskKey.describe('The name of the subtask within the task, used in dependencies and inputs'),
    goal: Goal,
    tool: Tool.optional().describe('The tool that carries it out; if omitted, the default tool of the server'),
    input: atMostBytes(JsonObject, LIMITS.input_bytes).default({}).describe('The input of the tool; its fields depend on the tool'),
    dependencies: z.array(SubtaskKey).max(LIMITS.subtasks_per_task).default([]).describe('The keys of the subtasks whose outputs it needs'),
    labels: Labels.default({}).describe('The labels that a worker must have to claim it'),
    ...sideOf(WORK_FIELDS, 'request'),
    retry: Retry.prefault({}),
  })
  .meta({ id: 'SubtaskSpec' });
export type SubtaskSpec = z.output<typeof SubtaskSpec>;

const SubtaskList = z.array(SubtaskSpec).min(1).max(LIMITS.subtasks_per_task, `must have at most ${LIMITS.subtasks_per_task} subtasks`);

const lines = (file: string) => ({ key: file, goal: `Count the lines of ${file}`, tool: 'exec', input: { argv: ['wc', '-l', file] } });
const EXAMPLE = {
  goal: 'Count the lines of two files',
  subtasks: [
    lines('a.txt'),
    lines('b.txt'),
    { key: 'sum', goal: 'Add them up', tool: 'exec', input: { argv: ['./sum'] }, dependencies: ['a.txt', 'b.txt'] },
  ],
};

export const TaskSpec = z
  .strictObject({
    goal: Goal,
    subtasks: SubtaskList.optional().describe('The DAG of subtasks; if omitted, the task has one subtask with its goal'),
    tool: Tool.optional().describe('The tool; only without subtasks'),
    input: atMostBytes(JsonObject, LIMITS.input_bytes).optional().describe('The input of the tool; only without subtasks'),
    labels: Labels.optional().describe('The labels that a worker must have; only without subtasks'),
    on_failure: OnFailure.default('fail_task').describe(
      'What happens when a subtask fails: fail_task fails the task and cancels its other subtasks, continue skips only the subtasks that depend on it',
    ),
    priority: Priority.default(5),
    timeout_seconds: z
      .int()
      .min(1)
      .max(2_592_000)
      .optional()
      .describe('The maximum duration of the task; it fails if it has not ended by then'),
    metadata: atMostBytes(JsonObject, LIMITS.metadata_bytes).default({}),
  })
  .superRefine((task, context) => {
    if (task.subtasks === undefined) return;
    for (const field of ['tool', 'input', 'labels'] as const)
      if (task[field] !== undefined)
        context.addIssue({ code: 'custom', path: [field], message: 'is allowed only without subtasks; set it on each subtask instead' });
  })
  .meta({ id: 'TaskSpec', examples: [EXAMPLE] });
export type TaskSpec = z.output<typeof TaskSpec>;

export const AddSubtasks = z.strictObject({ subtasks: SubtaskList }).meta({ id: 'AddSubtasks' });
export type AddSubtasks = z.output<typeof AddSubtasks>;

export const TaskError = z.object({
  code: z.string(),
  message: z.string(),
  subtask_id: Id.nullable().optional(),
});

export const Task = z
  .object({
    task_id: Id,
    goal: z.string(),
    status: TaskStatus,
    paused: z.boolean().describe('Whether the task is paused: running subtasks continue, no new ones are claimed'),
    progress: z.int().describe('The percentage of subtasks that have completed'),
    on_failure: OnFailure,
    priority: Priority,
    run: z.int().describe('The number of the run: 1 at first, increased by each retry of the task'),
    version: z.int().describe('Increased by each change; also the ETag'),
    last_seq: z.int().describe('The sequence number of its latest event'),
    subtask_count: z.int(),
    completed_count: z.int(),
    ended_count: z.int(),
    metadata: Json,
    error: TaskError.nullable(),
    owner_id: Id,
    deadline_at: Timestamp.nullable(),
    created_at: Timestamp,
    started_at: Timestamp.nullable(),
    ended_at: Timestamp.nullable(),
    updated_at: Timestamp,
  })
  .meta({ id: 'Task' });
export type Task = z.infer<typeof Task>;

export const SubtaskError = z.object({ failure_class: z.string(), message: z.string() });
export type SubtaskError = z.infer<typeof SubtaskError>;

export const Subtask = z
  .object({
    subtask_id: Id,
    task_id: Id,
    key: z.string(),
    kind: z.string(),
    goal: z.string(),
    tool: z.string(),
    input: Json,
    labels: Json,
    dependencies: z.array(z.string()),
    status: SubtaskStatus,
    blocked_by: z.int().describe('The number of parents that have not completed yet'),
    run_after: Timestamp.nullable().describe('The subtask is not claimed before this time'),
    attempt: z.int().describe('The number of the latest attempt'),
    attempts: z.int().describe('The number of attempts of this run that failed or timed out'),
    infra_attempts: z.int().describe('The number of attempts of this run that were lost with their worker or released by it'),
    retry: Retry,
    ...WorkFields,
    worker_id: Id.nullable(),
    result: Json,
    result_artifact_id: Id.nullable().describe('The artifact that holds the result, if the result is too large to be included'),
    error: SubtaskError.nullable(),
    position: z.int(),
    created_at: Timestamp,
    started_at: Timestamp.nullable(),
    ended_at: Timestamp.nullable(),
  })
  .meta({ id: 'Subtask' });
export type Subtask = z.infer<typeof Subtask>;
