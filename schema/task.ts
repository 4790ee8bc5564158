import * as z from 'zod';
import { Id, Labels, NOT_BLANK, Timestamp, Tool } from './common.ts';
import { atMostBytes, Json, JsonObject, LIMITS } from './json.ts';
import { RESULT_KEYWORDS, ResultSchema } from './result-schema.ts';
import { SubtaskStatus, TaskStatus } from './states.ts';

export const Goal = z.string().trim().min(1, 'must say what is to be done').max(LIMITS.goal_characters).meta(NOT_BLANK);
export const OnFailure = z.enum(['fail_task', 'continue']);
export const Priority = z.int().min(0).max(9).describe('Higher goes first');

/** Why an attempt failed. Only some classes are repeated by themselves, see DEFAULT_RETRY_ON. */
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
  max_attempts: z.int().min(1).max(20).default(3).describe('Tries that failed by themselves'),
  max_infra_attempts: z.int().min(1).max(50).default(10).describe('Tries that were lost with their machine or given back'),
  on: z
    .array(FailureClass)
    .max(FailureClass.options.length)
    .default([...DEFAULT_RETRY_ON])
    .describe('The failure classes that are repeated'),
  base_ms: z.int().min(0).max(3_600_000).default(1_000).describe('The first wait; each further one doubles, with jitter'),
  max_ms: z.int().min(0).max(86_400_000).default(60_000),
});
export type Retry = z.infer<typeof Retry>;

export const SubtaskKey = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'must be at most 64 of A-Z, a-z, 0-9 and _ . -, the first a letter or digit');

const Verify = atMostBytes(
  z.array(z.array(z.string().max(LIMITS.verify_bytes)).min(1, 'must name a command')).max(20),
  LIMITS.verify_bytes,
).describe('Commands, each as its arguments, that must exit with 0 once the tool is done; the worker must allow them');
/**
 * What is wrong with a schema of a result, for the parse of the whole task. Issues without words of their own come as they were raised:
 * that parse words them.
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

/** Stored as it was given: it goes to models, which take fewer ways to say the same. */
const Schema = atMostBytes(JsonObject, LIMITS.schema_bytes)
  .check(({ value, issues }) => void issues.push(...schemaIssues(value)))
  .describe(`A JSON Schema that the result must fit. Its keywords are those of which each is checked: ${RESULT_KEYWORDS.join(', ')}`);
const Silence = z.int().min(1).max(86_400);

/** A node of the DAG as a caller gives it. */
export const SubtaskSpec = z
  .strictObject({
    key: SubtaskKey.describe('Its name within the task; dependencies and inputs use it'),
    goal: Goal,
    tool: Tool.optional().describe("What a worker drives for it; left out, the server's default tool"),
    input: atMostBytes(JsonObject, LIMITS.input_bytes).default({}).describe('What the tool takes; each tool says what'),
    dependencies: z.array(SubtaskKey).max(LIMITS.subtasks_per_task).default([]).describe('Keys of the subtasks whose outputs it needs'),
    labels: Labels.default({}).describe('Labels that its worker must have'),
    timeout_seconds: z.int().min(1).max(86_400).default(3_600).describe('How long one attempt may take'),
    idle_timeout_seconds: Silence.optional().describe('How long nothing may be heard of the tool; left out, as the worker is set'),
    first_event_timeout_seconds: Silence.optional().describe('Within what time something must be heard of it at first'),
    verify: Verify.default([]),
    result_schema: Schema.optional(),
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
    subtasks: SubtaskList.optional().describe('The DAG. Left out, the goal is one subtask'),
    tool: Tool.optional().describe('For a plain goal: the tool of its one subtask'),
    input: atMostBytes(JsonObject, LIMITS.input_bytes).optional().describe('For a plain goal: what its tool takes'),
    labels: Labels.optional().describe('For a plain goal: labels that its worker must have'),
    on_failure: OnFailure.default('fail_task').describe('fail_task cancels the rest; continue skips what depended on it and goes on'),
    priority: Priority.default(5),
    timeout_seconds: z.int().min(1).max(2_592_000).optional().describe('The task fails when it has not ended by then'),
    metadata: atMostBytes(JsonObject, LIMITS.metadata_bytes).default({}),
  })
  .superRefine((task, context) => {
    if (task.subtasks === undefined) return;
    for (const field of ['tool', 'input', 'labels'] as const)
      if (task[field] !== undefined)
        context.addIssue({ code: 'custom', path: [field], message: 'belongs to a plain goal; with subtasks give it to each of them' });
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
    paused: z.boolean().describe('Nothing new of it is claimed; what runs goes on'),
    progress: z.int().describe('Completed subtasks in percent'),
    on_failure: OnFailure,
    priority: Priority,
    run: z.int().describe('1, and one more at each retry of what failed'),
    version: z.int().describe('One more at each change; the ETag'),
    last_seq: z.int().describe('The number of its latest event'),
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

/** What a subtask says of silence and of success, as it is stored. The first versions of the platform do not tell it. */
export const Checks = {
  idle_timeout_seconds: z.int().nullable().default(null),
  first_event_timeout_seconds: z.int().nullable().default(null),
  verify: z.array(z.array(z.string())).default([]),
  result_schema: JsonObject.nullable().default(null),
};

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
    blocked_by: z.int().describe('Parents that have not completed yet'),
    run_after: Timestamp.nullable().describe('Not claimed before then'),
    attempt: z.int().describe('The number of the latest attempt'),
    attempts: z.int().describe('Tries of this run that failed by themselves'),
    infra_attempts: z.int().describe('Tries of this run that were lost with their machine or given back'),
    retry: Retry,
    timeout_seconds: z.int(),
    ...Checks,
    worker_id: Id.nullable(),
    result: Json,
    result_artifact_id: Id.nullable().describe('Where the result lies when it is too large to stand here'),
    error: SubtaskError.nullable(),
    position: z.int(),
    created_at: Timestamp,
    started_at: Timestamp.nullable(),
    ended_at: Timestamp.nullable(),
  })
  .meta({ id: 'Subtask' });
export type Subtask = z.infer<typeof Subtask>;
