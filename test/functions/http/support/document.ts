import * as z from 'zod';
import { openapi } from '../../../../functions/http/openapi.ts';
import { Problem } from '../../../../schema/errors.ts';
import type { Route } from '../../../../schema/route.ts';
import type { Reply } from '../../../support/backend.ts';

type Schema = { [key: string]: unknown };
export type Operation = {
  operationId: string;
  tags: string[];
  summary: string;
  security: Record<string, string[]>[];
  parameters: { name: string; in: string; required: boolean; schema: Schema }[];
  requestBody?: { required: boolean; content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, { description: string; headers?: object; content?: Record<string, { schema: Schema }> }>;
};

export const document = openapi('http://127.0.0.1:8080');
export const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation: operation as Operation })),
);

export const operationOf = (route: Route): Operation => document.paths[route.path]?.[route.method.toLowerCase()] as Operation;

const relinked = (schema: unknown) => JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/')) as Schema;
const $defs = relinked(document.components.schemas);

/** A schema of the document as a validator. */
export const checkerOf = (schema: Schema) =>
  z.fromJSONSchema({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...relinked(schema), $defs } as z.core.JSONSchema.JSONSchema);

/** Why a response is not one that the document lists for an operation; null if it is. */
export const unlisted = (route: Route, { status, body, headers }: Reply): string | null => {
  const response = operationOf(route).responses[status];
  if (response === undefined) return `${status} is not documented`;
  const content = response.content?.[headers['content-type']?.split(';')[0] ?? ''];
  if (content === undefined) return `the content type ${headers['content-type']} is not documented for ${status}`;
  const missing = Object.keys(response.headers ?? {}).filter((name) => headers[name.toLowerCase()] === undefined);
  if (missing.length > 0) return `the header ${missing.join(', ')} is missing`;
  const checked = checkerOf(content.schema).safeParse(body);
  return checked.success ? null : checked.error.message;
};

type Coded = { allOf: [unknown, { properties: { code: { enum: string[] } } }] };

/** The codes that the document lists for an operation under a status. */
export const codesOf = (route: Route, status: number): readonly string[] => {
  const schema = operationOf(route).responses[status]?.content?.['application/problem+json']?.schema as Coded | undefined;
  return schema?.allOf[1].properties.code.enum ?? [];
};

/** Whether a message describes what is accepted, not only what is wrong. */
const isInstructive = (message: string) => /\bmust\b|is required|allowed: |takes no query parameters|is allowed only /.test(message);

/** Why a response is not a documented, helpful refusal; null if it is one. */
export const undocumented = (route: Route, { status, body, headers }: Reply): string | null => {
  const problem = Problem.safeParse(body);
  if (status < 400 || status >= 500) return `${status} is no refusal`;
  if (headers['content-type'] !== 'application/problem+json') return `the content type is ${headers['content-type']}`;
  if (!problem.success) return `the body is no problem: ${JSON.stringify(body).slice(0, 200)}`;
  const { code, detail, errors, request_id } = problem.data;
  if (problem.data.status !== status) return `the problem has the status ${problem.data.status}, the response ${status}`;
  if (!codesOf(route, status).includes(code)) return `${status} ${code} is not documented`;
  if (code === 'invalid_request') {
    if (errors.length === 0) return 'the problem names no place';
    const vague = errors.find((error) => !isInstructive(error.message));
    if (vague) return `the fault does not say what would be right: ${vague.message}`;
  }
  return detail === '' || request_id === '' ? 'the problem has no detail or no request id' : null;
};
