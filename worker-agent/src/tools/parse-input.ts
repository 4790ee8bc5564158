import type * as z from 'zod';
import { AgentFailure } from '../attempt/agent-failure.ts';

const pathOf = (path: readonly PropertyKey[]): string => ['input', ...path.map(String)].join('.');

const faultsOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => `${pathOf([...issue.path, key])} is not a field here`).join('; ')
    : `${pathOf(issue.path)}: ${issue.message}`;

/** The input of a subtask as its tool takes it; what is wrong with it is told with its place. */
export const parseInput = <S extends z.ZodType>(schema: S, input: unknown, tool: string): z.output<S> => {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.slice(0, 5).map(faultsOf);
  throw new AgentFailure('invalid_result', `The input does not fit the tool ${tool}: ${faults.join('; ')}`);
};
