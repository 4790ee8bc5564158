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
  budget: 'the conversation is too long for the model, or the account has no credit left; use smaller subtasks',
  model_unavailable: 'check --openai-url and --openai-model of the worker, and that the model exists',
};

/** The message of an error response, in either of the formats that servers use. */
const messageIn = (text: string): string => {
  try {
    const { error, message } = JSON.parse(text) as { error?: { message?: unknown } | string; message?: unknown };
    const found = typeof error === 'string' ? error : (error?.message ?? message);
    return typeof found === 'string' ? found : text;
  } catch {
    return text;
  }
};

/** The failure for an error response of the model server. */
export const refusal = (status: number, text: string): AgentFailure => {
  const failureClass = classOf(status, text);
  const help = HELP[failureClass];
  const reason = messageIn(text).trim() || 'no message'; // not shortened: redaction would miss a part of a secret
  return new AgentFailure(failureClass, `The model server responded with status ${status}: ${reason}${help ? `; ${help}` : ''}`);
};

/** The failure for a server that is unreachable, closes the connection or sends invalid responses; a retry may succeed. */
export const unavailable = (what: string, cause?: unknown): AgentFailure =>
  new AgentFailure('model_unavailable', `The model server ${what}; ${HELP.model_unavailable}`, { cause });
