import { ArnFormat, Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { allow } from './function.ts';

/** Where a value is stored that must not appear in a template. */
export type Source = { service: 'secretsmanager' | 'ssm'; name: string };

const FORM = /^(secretsmanager|ssm):([\w/+=.@-]+)$/;

/** Null if it does not have the form. */
export const parseSource = (text: string): Source | null => {
  const [, service, name = ''] = FORM.exec(text) ?? [];
  return service === undefined ? null : { service: service as Source['service'], name };
};

/** The form in which a Lambda receives it. */
export const textOf = ({ service, name }: Source, field?: string) => `${service}:${name}${field === undefined ? '' : `#${field}`}`;

/** Secrets Manager appends a hyphen and six characters to a name. */
export const arnOf = (stack: Stack, { service, name }: Source): string =>
  service === 'ssm'
    ? stack.formatArn({ service, resource: 'parameter', resourceName: name.replace(/^\//, '') })
    : stack.formatArn({ service, resource: 'secret', resourceName: `${name}-??????`, arnFormat: ArnFormat.COLON_RESOURCE_NAME });

/** Lets a Lambda read the value at start; the templates contain only its location. */
export const allowSource = (fn: LambdaFunction, source: Source) =>
  allow(fn, [source.service === 'ssm' ? 'ssm:GetParameter' : 'secretsmanager:GetSecretValue'], arnOf(Stack.of(fn), source));
