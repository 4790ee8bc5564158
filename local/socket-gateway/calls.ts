import { type Handler, invoke, type InvocationOutcome } from '../lambda.ts';
import type { SocketEvent } from './gateway-events.ts';

export type SocketHandler = Handler<SocketEvent>;

/** Calls the handler and tracks the calls in progress. */
export const createCalls = (handler: SocketHandler, timeoutMs: number, onError: (error: unknown) => void) => {
  let running = 0;
  return {
    running: () => running,
    call: async (event: SocketEvent): Promise<InvocationOutcome> => {
      running++;
      const outcome = await invoke(handler, event, event.requestContext.requestId, timeoutMs);
      running--;
      if (outcome.kind === 'failed') onError(outcome.error);
      return outcome;
    },
  };
};

/** The status of a handshake: 502 for an invalid result, 504 for a timeout. */
export const statusOf = (outcome: InvocationOutcome): number => {
  if (outcome.kind !== 'answered') return outcome.kind === 'late' ? 504 : 502;
  const { answer } = outcome;
  const status = typeof answer === 'object' && answer !== null && 'statusCode' in answer ? Number(answer.statusCode) : 0;
  return status >= 200 && status <= 599 ? status : 502;
};
