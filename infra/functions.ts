import { Duration, type Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { lambda } from './function.ts';
import type { LambdaName } from './lambdas.ts';
import type { Variables } from './environment.ts';

export type Functions = Record<LambdaName, LambdaFunction>;

/** All Lambdas that serve requests, messages or the clock. */
export const servingOf = ({ migrate: _, ...serving }: Functions): LambdaFunction[] => Object.values(serving);

/** Ends before API Gateway times out (30 s or 29 s), so that the Lambda's log shows what took so long. */
const http = { timeout: Duration.seconds(28), memorySize: 1024 };
/** Enough for a batch whose messages are handled one by one because one of them fails. */
export const CONSUMER_SECONDS = 20;
const consumer = { timeout: Duration.seconds(CONSUMER_SECONDS), memorySize: 512 };
/** Ends before the next minute. A failed run is not retried: the next tick does the same work. */
const clock = { timeout: Duration.seconds(28), memorySize: 512, retryAttempts: 0, maxEventAge: Duration.minutes(1) };

/** The maximum of Lambda: the time of a migration depends on the size of the tables. */
const once = { timeout: Duration.minutes(10), memorySize: 512 };

export const createFunctions = (stack: Stack, environment: Variables): Functions => ({
  'person-api': lambda(stack, 'PersonApi', 'person-api', environment, http),
  'worker-api': lambda(stack, 'WorkerApi', 'worker-api', environment, http),
  socket: lambda(stack, 'Socket', 'socket', environment, http),
  dispatch: lambda(stack, 'Dispatch', 'dispatch', environment, consumer),
  broadcast: lambda(stack, 'Broadcast', 'broadcast', environment, consumer),
  tick: lambda(stack, 'Tick', 'tick', environment, clock),
  migrate: lambda(stack, 'Migrate', 'migrate', {}, once),
});
