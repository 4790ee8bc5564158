import { join } from 'node:path';
import { type Duration, RemovalPolicy, Stage, type Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, type AssetCode, Code, Function as LambdaFunction, type FunctionOptions, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { build } from './build.ts';
import type { LambdaName } from './lambdas.ts';

/** A log group that goes with the stack; without one Lambda makes its own, which keeps everything for ever. */
export const logGroup = (stack: Stack, id: string): LogGroup =>
  new LogGroup(stack, id, { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });

const bundle = (stack: Stack, name: LambdaName): AssetCode => {
  const folder = join(Stage.of(stack)?.outdir ?? '', 'bundles', name);
  build(name, folder);
  return Code.fromAsset(folder);
};

export type Options = FunctionOptions & { timeout: Duration; memorySize: number };

/** The Lambda of `functions/<name>.lambda.ts`, under a role of its own that may at first write its log only. */
export const lambda = (stack: Stack, id: string, name: LambdaName, environment: Record<string, string>, options: Options) => {
  const logs = logGroup(stack, `${id}Logs`);
  const role = new Role(stack, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logs.grantWrite(role);
  return new LambdaFunction(stack, id, {
    ...options,
    environment,
    role,
    description: `${name} of Multi-Agent on the Web`,
    code: bundle(stack, name),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    logGroup: logs,
  });
};
