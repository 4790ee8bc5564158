import type { Context as LambdaContext } from 'aws-lambda';
import { withTimeout } from '../schema/client/with-timeout.ts';

/** The context of a Lambda call. `signal`, which the real runtime lacks, aborts when the client has disconnected. */
export const lambdaContext = (requestId: string, timeoutMs: number, signal?: AbortSignal): LambdaContext => {
  const end = performance.now() + timeoutMs;
  const context = {
    awsRequestId: requestId,
    functionName: 'local',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:local:000000000000:function:local',
    memoryLimitInMB: '512',
    logGroupName: 'local',
    logStreamName: 'local',
    ...(signal ? { signal } : {}),
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, end - performance.now()),
  };
  return context as LambdaContext;
};

export type Handler<E> = (event: E, context: LambdaContext) => Promise<unknown>;
/** What a handler returned, or that it threw or took too long. */
export type InvocationOutcome = { kind: 'answered'; answer: unknown } | { kind: 'failed'; error: unknown } | { kind: 'late' };

/** Calls a handler as Lambda does: once, with a time limit. */
export const invoke = async <E>(handler: Handler<E>, event: E, requestId: string, timeoutMs: number): Promise<InvocationOutcome> => {
  const run = async (): Promise<InvocationOutcome> => ({
    kind: 'answered',
    answer: await handler(event, lambdaContext(requestId, timeoutMs)),
  });
  try {
    return await withTimeout(timeoutMs, run, { onTimeout: () => ({ kind: 'late' }) });
  } catch (error) {
    return { kind: 'failed', error };
  }
};
