import * as z from 'zod';
import { Json, LIMITS } from '../../../../schema/json.ts';
import { FailureClass } from '../../../../schema/task.ts';

const step = <const D extends string, S extends z.ZodRawShape>(name: D, shape: S) => z.strictObject({ do: z.literal(name), ...shape });

/** The steps of the scripted agent, performed in order. The result is the output of the last step that has one. */
export const Step = z.discriminatedUnion('do', [
  step('log', { text: z.string(), stream: z.enum(['stdout', 'stderr']).default('stdout') }),
  step('progress', { percent: z.number().min(0).max(100).optional(), message: z.string().max(LIMITS.reason_characters).optional() }),
  step('wait', { ms: z.int().min(0).max(86_400_000) }),
  step('fail', {
    failure_class: FailureClass.default('tool_error'),
    message: z.string().max(LIMITS.message_characters).default('failed by a scripted step'),
    until_attempt: z.int().min(1).optional(),
  }),
  step('output', { value: Json }),
  step('sum_inputs', {}),
  step('concat_inputs', { separator: z.string().max(100).default('\n') }),
  step('hash', { text: z.string() }),
  step('count_words', { text: z.string() }),
  step('artifact', {
    name: z.string().min(1).max(LIMITS.file_name_characters),
    content: z.string(),
    content_type: z.string().max(LIMITS.media_type_characters).default('text/plain'),
  }),
]);
export type Step = z.output<typeof Step>;

export const ScriptedInput = z.looseObject({ steps: z.array(Step).max(1_000).optional() });
