import type * as z from 'zod';
import { AgentFailure } from '../attempt/agent-failure.ts';

const pathOf = (path: readonly PropertyKey[]): string => ['input', ...path.map(String)].join('.');

const describe = (issue: z.core.$ZodIssue): string =>
  issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => `${pathOf([...issue.path, key])} is an unknown field`).join('; ')
    : `${pathOf(issue.path)}: ${issue.message}`;

/** Parses the input of a subtask for its tool; errors name the path of the field. */
export const parseInput = <S extends z.ZodType>(schema: S, input: unknown, tool: string): z.output<S> => {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.slice(0, 5).map(describe);
  throw new AgentFailure('invalid_result', `The input is invalid for the tool ${tool}: ${errors.join('; ')}`);
};
