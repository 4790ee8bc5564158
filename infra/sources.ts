import { ArnFormat, Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { allow } from './function.ts';

/** Where a value lies that no template may hold. */
export type Source = { service: 'secretsmanager' | 'ssm'; name: string };

const FORM = /^(secretsmanager|ssm):([\w/+=.@-]+)$/;

/** Null when it is not of the form. */
export const parseSource = (text: string): Source | null => {
  const [, service, name = ''] = FORM.exec(text) ?? [];
  return service === undefined ? null : { service: service as Source['service'], name };
};

/** As a Lambda reads it. */
export const textOf = ({ service, name }: Source, field?: string) => `${service}:${name}${field === undefined ? '' : `#${field}`}`;

/** Secrets Manager adds a hyphen and six characters to a name. */
export const arnOf = (stack: Stack, { service, name }: Source): string =>
  service === 'ssm'
    ? stack.formatArn({ service, resource: 'parameter', resourceName: name.replace(/^\//, '') })
    : stack.formatArn({ service, resource: 'secret', resourceName: `${name}-??????`, arnFormat: ArnFormat.COLON_RESOURCE_NAME });

/** Lets a Lambda read it when it starts; the templates hold only where it is found. */
export const allowSource = (fn: LambdaFunction, source: Source) =>
  allow(fn, [source.service === 'ssm' ? 'ssm:GetParameter' : 'secretsmanager:GetSecretValue'], arnOf(Stack.of(fn), source));
