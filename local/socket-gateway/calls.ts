import type { Context as LambdaContext } from 'aws-lambda';
import { lambdaContext, within } from '../lambda.ts';
import type { SocketEvent } from './events.ts';

export type SocketHandler = (event: SocketEvent, context: LambdaContext) => Promise<unknown>;
/** What a handler answered, or that it threw or took too long. */
export type Outcome = { kind: 'answered'; answer: unknown } | { kind: 'failed' | 'late' };

/** Calls the handler as Lambda does, and knows how many calls are under way. */
export const createCalls = (handler: SocketHandler, timeoutMs: number, onError: (error: unknown) => void) => {
  let running = 0;
  const run = async (event: SocketEvent): Promise<Outcome> => {
    const answer = await handler(event, lambdaContext(event.requestContext.requestId, timeoutMs));
    return { kind: 'answered', answer };
  };
  return {
    running: () => running,
    call: async (event: SocketEvent): Promise<Outcome> => {
      running++;
      try {
        return (await within(timeoutMs, run(event))) ?? { kind: 'late' };
      } catch (error) {
        onError(error);
        return { kind: 'failed' };
      } finally {
        running--;
      }
    },
  };
};

/** The status of a handshake: 502 for an answer that is none, 504 for one that does not come. */
export const statusOf = (outcome: Outcome): number => {
  if (outcome.kind !== 'answered') return outcome.kind === 'late' ? 504 : 502;
  const { answer } = outcome;
  const status = typeof answer === 'object' && answer !== null && 'statusCode' in answer ? Number(answer.statusCode) : 0;
  return status >= 200 && status <= 599 ? status : 502;
};
