import type { Claimed, InputValue } from '../../../schema/attempt.ts';
import type { Json } from '../../../schema/json.ts';
import type { Fenced, WorkerApi } from '../api/worker-api.ts';
import { download } from '../report/artifacts.ts';
import { AgentFailure } from './agent-failure.ts';

const fetchInput = async (api: WorkerApi, fence: Fenced, key: string, signal: AbortSignal): Promise<Json> => {
  const input = await api.getInput(fence, key, { signal });
  if (input.result_artifact_id === null) return input.result;
  if (input.download === null) throw new AgentFailure('tool_error', `The result of ${key} is not stored: its artifact has no bytes`);
  const bytes = await download(api, input.download, signal);
  try {
    return JSON.parse(bytes.toString('utf8')) as Json;
  } catch (cause) {
    throw new AgentFailure('tool_error', `The result of ${key} is not JSON: ${(cause as Error).message}`, { cause });
  }
};

const isIncluded = (input: InputValue) => input.included && input.result_artifact_id === null;

/** The outputs of a subtask's parents. Those that the claim did not include are fetched, once. */
export const createInputs = (api: WorkerApi, claimed: Claimed, signal: AbortSignal): (() => Promise<Record<string, Json>>) => {
  let fetched: Promise<Record<string, Json>> | undefined;
  const fetchAll = async () => {
    const values: [string, Json][] = [];
    for (const [key, input] of Object.entries(claimed.inputs))
      values.push([key, isIncluded(input) ? input.result : await fetchInput(api, claimed, key, signal)]);
    return Object.fromEntries(values);
  };
  return () => {
    fetched ??= fetchAll();
    return fetched;
  };
};
