import type * as z from 'zod';
import { type ErrorCode, ERRORS, Problem } from '../../schema/errors.ts';
import { LIMITS } from '../../schema/json.ts';
import { PRODUCT } from '../../schema/product.ts';
import { isCaller, type Route } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';
import { createSchemas, type Schema } from './json-schema.ts';

const schemas = createSchemas();

/** The error codes that an operation can return, by status. */
export const errorCodes = (route: Route): Map<number, ErrorCode[]> => {
  const codes: ErrorCode[] = ['internal', 'unavailable', 'not_found', 'method_not_allowed', 'invalid_request', ...route.errors];
  if (route.access !== 'anyone') codes.push('unauthenticated', 'forbidden');
  if (route.access === 'worker') codes.push('worker_not_found');
  if (route.body) codes.push('invalid_json', 'body_too_large', 'unsupported_media_type');
  if (route.idempotent) codes.push('idempotency_key_reused');
  return Map.groupBy(new Set(codes), (code) => ERRORS[code][0]);
};

type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; description?: string; schema: Schema };

const header = (name: string, description: string, pattern?: string): Parameter => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: { type: 'string', ...(pattern ? { pattern } : {}) },
});

const headersOf = (route: Route): Parameter[] => [
  ...(route.idempotent
    ? [
        header(
          'Idempotency-Key',
          'A key that is unique to this request. The same request with the same key returns the same response and has no second effect',
          '^[\\x21-\\x7e]{1,200}$',
        ),
      ]
    : []),
  ...(route.etag && route.method === 'GET'
    ? [header('If-None-Match', 'The ETag of the version that you have; the response is 304 if it is still current')]
    : []),
  ...(route.etag && route.method !== 'GET' ? [header('If-Match', 'The ETag of the version to change', '^"\\d{1,15}"$')] : []),
];

const namedIn = (schema: z.ZodType | undefined, place: 'path' | 'query'): Parameter[] => {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemas.of(schema, 'input') as { properties?: Record<string, Schema>; required?: string[] };
  const defaults: Schema = (schema.safeParse({}).data as Schema | undefined) ?? {};
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(typeof description === 'string' ? { description } : {}),
    schema: defaults[name] === undefined ? property : { ...property, default: defaults[name] },
  }));
};

const parametersOf = (route: Route): Parameter[] => [
  ...namedIn(route.params, 'path'),
  ...namedIn(route.query, 'query'),
  ...headersOf(route),
];

const text = { schema: { type: 'string' } };

const success = (route: Route) => ({
  description: route.status === 201 ? 'Created' : 'OK',
  ...(route.etag ? { headers: { ETag: text } } : {}),
  content: { [route.contentType ?? 'application/json']: { schema: schemas.of(route.output, 'output') } },
});

const HEADERS: Record<number, string> = { 401: 'WWW-Authenticate', 405: 'Allow', 503: 'Retry-After' };

/** Problem details, with the codes that this operation can return with the status. */
const failure = (status: number, codes: readonly ErrorCode[]) => ({
  description: codes.map((code) => `\`${code}\`: ${ERRORS[code][1]}`).join('\n\n'),
  ...(HEADERS[status] ? { headers: { [HEADERS[status]]: text } } : {}),
  content: {
    'application/problem+json': {
      schema: { allOf: [schemas.of(Problem, 'output'), { properties: { status: { const: status }, code: { enum: codes } } }] },
    },
  },
});

const isHealth = (route: Route) => route.path.startsWith('/api/v1/health');

const responsesOf = (route: Route) => {
  const responses: Record<string, { description: string; content?: object }> = { [route.status]: success(route) };
  for (const [status, codes] of errorCodes(route)) responses[status] = failure(status, codes);
  if (route.etag && route.method === 'GET') responses['304'] = { description: 'Not modified' };
  if (isHealth(route)) {
    const unhealthy = failure(503, ['unavailable']);
    responses['503'] = { ...unhealthy, content: { ...success(route).content, ...unhealthy.content } };
  }
  return responses;
};

const securityOf = (route: Route) =>
  route.access === 'anyone'
    ? []
    : [{ [isCaller(route.access) ? 'apiKey' : route.access === 'worker' ? 'workerCredential' : 'enrolmentToken']: [] }];

const requestBody = (route: Route, body: z.ZodType) => {
  const [example] = (body.meta()?.examples as unknown[] | undefined) ?? [];
  const schema = schemas.of(body, 'input');
  return { required: !route.optionalBody, content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } } };
};

const operation = (route: Route) => ({
  operationId: route.name,
  tags: [route.tag],
  summary: route.summary,
  ...(isCaller(route.access) ? { description: `Requires an API key with the scope \`${route.access}\`.` } : {}),
  security: securityOf(route),
  parameters: parametersOf(route),
  ...(route.body ? { requestBody: requestBody(route, route.body) } : {}),
  responses: responsesOf(route),
});

const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description });

const TAGS = {
  system: 'The API itself: health, documentation and dead letters',
  tasks: 'What callers submit: a goal, carried out as a DAG of subtasks',
  subtasks: 'The steps of a task, which workers carry out',
  workers: 'The machines that carry out subtasks',
  artifacts: 'Files that attempts produce',
  live: 'Tickets for WebSockets, over which clients follow events',
  keys: 'API keys of callers',
} satisfies Record<Route['tag'], string>;

const build = () => {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of allRoutes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: PRODUCT.app,
      version: PRODUCT.version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Submit a task; it becomes a DAG of subtasks; worker agents carry them out. Strings must be well-formed Unicode without U+0000. ' +
        `JSON must not be nested deeper than ${LIMITS.json_depth} levels.`,
    },
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas.components,
      securitySchemes: {
        apiKey: bearer('An API key, mak_…'),
        workerCredential: bearer('The credential that a worker received when it enrolled'),
        enrolmentToken: bearer('An enrolment token, mae_…'),
      },
    },
  };
};

let document: ReturnType<typeof build> | undefined;

/** The contracts as OpenAPI 3.1; built once, on the first call. */
export const openapi = (publicUrl: string) => {
  document ??= build();
  return { ...document, servers: [{ url: publicUrl }] };
};
