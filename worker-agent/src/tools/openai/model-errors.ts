import type { FailureClass } from '../../../../schema/task.ts';
import { AgentFailure } from '../../attempt/agent-failure.ts';

const TOO_LONG = /context[ _-]?(length|window|size)|maximum context|too many tokens|prompt is too long|exceeds? the (available )?context/i;
const NO_MONEY = /insufficient_quota|billing|credit balance/i;

const classOf = (status: number, text: string): FailureClass => {
  if (status === 401 || status === 403) return 'auth';
  if (status === 402 || status === 413 || NO_MONEY.test(text) || (status >= 400 && TOO_LONG.test(text))) return 'budget';
  if (status === 429) return 'rate_limited';
  return status >= 500 || status === 404 || status === 408 ? 'model_unavailable' : 'tool_error';
};

const HELP: Partial<Record<FailureClass, string>> = {
  auth: "check the worker's --openai-key",
  budget: 'the conversation is too long for the model, or its account is used up; ask for less in one subtask',
  model_unavailable: 'check --openai-url and --openai-model of the worker, and that the model is there',
};

/** What a refusal says, in either of the forms that servers use. */
const saidIn = (text: string): string => {
  try {
    const { error, message } = JSON.parse(text) as { error?: { message?: unknown } | string; message?: unknown };
    const said = typeof error === 'string' ? error : (error?.message ?? message);
    return typeof said === 'string' ? said : text;
  } catch {
    return text;
  }
};

/** A refusal of the model's server as a failure with its class. */
export const refusal = (status: number, text: string): AgentFailure => {
  const failureClass = classOf(status, text);
  const help = HELP[failureClass];
  const said = saidIn(text).trim() || 'nothing'; // whole: half a secret would not be known for one
  return new AgentFailure(failureClass, `The model's server answered ${status}: ${said}${help ? `; ${help}` : ''}`);
};

/** A server that can't be reached, breaks off or talks nonsense: another try may go well. */
export const unavailable = (what: string, cause?: unknown): AgentFailure =>
  new AgentFailure('model_unavailable', `The model's server ${what}; ${HELP.model_unavailable}`, { cause });
