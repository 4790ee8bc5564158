import type { Json } from '../../../schema/json.ts';
import { resultFaults, ResultSchema } from '../../../schema/result-schema.ts';
import type { FailureClass } from '../../../schema/task.ts';
import { AgentFailure } from './agent-failure.ts';
import type { AdapterHost, AgentRun, Outcome } from '../tools/adapter.ts';

const UNFINISHED: Record<Exclude<Outcome['ended'], 'end_turn'>, [FailureClass, string]> = {
  max_tokens: ['budget', 'The agent was cut off: its output was longer than its model allows'],
  max_turns: ['budget', 'The agent did not finish within its maximum number of turns'],
  refusal: ['denied', 'The agent refused the work'],
};

/** The result of a turn, undefined if there is none. Throws when the turn did not finish normally. */
const resultOf = (outcome: Outcome): Json | undefined => {
  if (outcome.ended !== 'end_turn') throw new AgentFailure(...UNFINISHED[outcome.ended]);
  return outcome.result;
};

const readSchema = (schema: unknown): ResultSchema => {
  const parsed = ResultSchema.safeParse(schema);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AgentFailure(
    'invalid_result',
    `This worker cannot check result_schema.${issue?.path.join('.')}: ${issue?.message}; use a newer worker, or a schema without it`,
  );
};

const repairOf = (faults: string[]) =>
  `Your result was not accepted:\n${faults.map((it) => `- ${it}`).join('\n')}\nGive the whole result again, with these faults corrected.`;

/**
 * Returns a function that checks the result of a run. A run without a result is a failure, and a result must match its schema. An agent
 * that can take another turn gets one to correct the result.
 */
export const createResultCheck = (given: unknown): ((run: AgentRun, host: AdapterHost) => Promise<Json>) => {
  const schema = given === null ? {} : readSchema(given);
  const faultsOf = (result: Json | undefined) => (result === undefined ? ['result: there is none'] : resultFaults(schema, result));
  return async (run, host) => {
    let result = resultOf(await run.done);
    let faults = faultsOf(result);
    if (faults.length > 0 && run.send && !host.signal.aborted) {
      host.emit({ type: 'warning', message: `the result was not accepted; the agent is asked to correct it: ${faults.join('; ')}` });
      result = resultOf(await run.send(repairOf(faults)));
      faults = faultsOf(result);
    }
    if (result === undefined || faults.length > 0)
      throw new AgentFailure('invalid_result', `The result was not accepted: ${faults.join('; ')}`);
    return result;
  };
};
