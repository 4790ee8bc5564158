import * as z from 'zod';

const text = z.string().refine((value) => !value.includes('\u0000'), 'must not contain U+0000');
const Variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable');

/** The input of a subtask for the tool exec. Other fields are data for the command, which gets the complete input on stdin. */
export const ExecInput = z.looseObject({
  argv: z
    .array(text)
    .min(1, 'must contain the command to run')
    .max(1_000)
    .refine((argv) => argv[0] !== '', 'must contain the command to run'),
  cwd: text.min(1).optional(),
  env: z.record(Variable, text).default({}),
  stdin: z.enum(['json', 'prompt', 'none']).default('json'),
  result: z.enum(['auto', 'text', 'json', 'file']).default('auto'),
  result_file: text.min(1).optional(),
});
export type ExecInput = z.output<typeof ExecInput>;
