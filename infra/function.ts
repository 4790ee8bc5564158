import { join } from 'node:path';
import { type Duration, RemovalPolicy, Stage, type Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function as LambdaFunction, type FunctionOptions, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { build } from './build.ts';
import { type LambdaName, LAMBDAS } from './lambdas.ts';

/** A log group that is deleted with the stack. Without one, Lambda creates its own, which keeps everything forever. */
export const logGroup = (stack: Stack, id: string): LogGroup =>
  new LogGroup(stack, id, { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });

/** Where the bundle of a Lambda is, below the folder of the templates. */
const bundleOf = (outdir: string, name: LambdaName) => join(outdir, 'bundles', name);

/** Bundling is asynchronous and constructs are not, so all bundles are built before the first stack is created. */
export const buildBundles = async (outdir: string) => {
  await Promise.all(LAMBDAS.map((name) => build(name, bundleOf(outdir, name))));
};

/** Allows a Lambda `actions` on these resources and on no others. */
export const allow = (fn: LambdaFunction, actions: readonly string[], ...resources: string[]) =>
  fn.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources }));

export type Options = FunctionOptions & { timeout: Duration; memorySize: number };

/** The Lambda of `functions/<name>.lambda.ts` with its own role, which at first may only write its log. */
export const lambda = (stack: Stack, id: string, name: LambdaName, environment: Record<string, string>, options: Options) => {
  const logs = logGroup(stack, `${id}Logs`);
  const role = new Role(stack, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logs.grantWrite(role);
  return new LambdaFunction(stack, id, {
    ...options,
    environment,
    role,
    description: `${name} of Multi-Agent on the Web`,
    code: Code.fromAsset(bundleOf(Stage.of(stack)?.outdir ?? '', name)),
    handler: 'index.handler',
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    logGroup: logs,
  });
};
