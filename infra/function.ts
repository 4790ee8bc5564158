import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Architecture, Function as LambdaFunction, type FunctionOptions, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Env } from '../schema/env.ts';
import { bundle } from './bundle.ts';

export type Variables = Record<keyof Env, string>;

/** A log group that goes with the stack; without one Lambda makes its own, which keeps everything for ever. */
export const logGroup = (stack: Stack, id: string): LogGroup =>
  new LogGroup(stack, id, { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });

/** The Lambda of `functions/<name>.lambda.ts`. */
export const lambda = (
  stack: Stack,
  id: string,
  name: string,
  environment: Variables,
  options: FunctionOptions & { timeout: Duration; memorySize: number },
): LambdaFunction =>
  new LambdaFunction(stack, id, {
    ...options,
    environment,
    description: `${name} of Multi-Agent on the Web`,
    code: bundle(stack, name),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    logGroup: logGroup(stack, `${id}Logs`),
  });
