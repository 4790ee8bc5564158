import type { Context as LambdaContext } from 'aws-lambda';

/** Null when it takes longer; what it answers then is lost, as it is on Lambda. */
export const within = async <T>(ms: number, work: Promise<T>): Promise<T | null> => {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** What the runtime of Lambda gives to a handler beside its event. */
export const lambdaContext = (requestId: string, timeoutMs: number): LambdaContext => {
  const end = performance.now() + timeoutMs;
  const context = {
    awsRequestId: requestId,
    functionName: 'local',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:local:000000000000:function:local',
    memoryLimitInMB: '512',
    logGroupName: 'local',
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, end - performance.now()),
  };
  return context as LambdaContext;
};
