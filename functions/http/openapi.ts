import { z } from 'zod';
import { type ErrorCode, ERRORS, Problem } from '../../schema/errors.ts';
import { PRODUCT } from '../../schema/product.ts';
import { isCaller, type Route } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';

type Schema = Record<string, unknown>;

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): Schema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' }) as Schema;
  return rest;
};

/** The codes that an operation can answer, by status. */
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
    ? [header('Idempotency-Key', 'Repeated with the same request, the same answer and no second effect', '^[\\x21-\\x7e]{1,200}$')]
    : []),
  ...(route.etag && route.method === 'GET' ? [header('If-None-Match', 'The ETag that you have; 304 when it is current')] : []),
  ...(route.etag && route.method !== 'GET' ? [header('If-Match', 'The ETag of the version that is changed', '^"\\d{1,15}"$')] : []),
];

const parametersOf = (route: Route): Parameter[] => {
  const parts = [
    ['params', 'path'],
    ['query', 'query'],
  ] as const;
  const named = parts.flatMap(([part, place]): Parameter[] => {
    const schema = route[part];
    if (schema === undefined) return [];
    const { properties = {}, required = [] } = jsonSchema(schema, 'input') as { properties?: Record<string, Schema>; required?: string[] };
    return Object.entries(properties).map(([name, { description, ...property }]) => ({
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(typeof description === 'string' ? { description } : {}),
      schema: property,
    }));
  });
  return [...named, ...headersOf(route)];
};

const success = (route: Route) => ({
  description: route.status === 201 ? 'Created' : 'OK',
  ...(route.etag ? { headers: { ETag: { schema: { type: 'string' } } } } : {}),
  content: { [route.contentType ?? 'application/json']: { schema: jsonSchema(route.output, 'output') } },
});

const failure = (codes: readonly ErrorCode[]) => ({
  description: codes.map((code) => `\`${code}\`: ${ERRORS[code][1]}`).join('\n\n'),
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});

const isHealth = (route: Route) => route.path.startsWith('/api/v1/health');

const responsesOf = (route: Route) => {
  const failures = [...errorCodes(route)].map(([status, codes]) => [String(status), failure(codes)] as const);
  const responses: Record<string, unknown> = { [route.status]: success(route), ...Object.fromEntries(failures) };
  if (route.etag && route.method === 'GET') responses['304'] = { description: 'Not modified' };
  if (isHealth(route)) {
    const { content } = success(route);
    responses['503'] = {
      ...failure(['unavailable']),
      content: { ...content, 'application/problem+json': failure([]).content['application/problem+json'] },
    };
  }
  return responses;
};

const securityOf = (route: Route) =>
  route.access === 'anyone'
    ? []
    : [{ [isCaller(route.access) ? 'apiKey' : route.access === 'worker' ? 'workerCredential' : 'enrolmentToken']: [] }];

const operation = (route: Route) => ({
  operationId: route.name,
  tags: [route.tag],
  summary: route.summary,
  ...(isCaller(route.access) ? { description: `Needs an API key with the scope \`${route.access}\`.` } : {}),
  security: securityOf(route),
  parameters: parametersOf(route),
  ...(route.body
    ? { requestBody: { required: !route.optionalBody, content: { 'application/json': { schema: jsonSchema(route.body, 'input') } } } }
    : {}),
  responses: responsesOf(route),
});

const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description });

const build = () => {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of allRoutes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: PRODUCT.app,
      version: PRODUCT.version,
      license: { name: 'MIT', identifier: 'MIT' },
      description: 'Submit a task; it becomes a DAG of subtasks; worker agents carry them out.',
    },
    tags: [...new Set(allRoutes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: jsonSchema(Problem, 'output') },
      securitySchemes: {
        apiKey: bearer('An API key, mak_…'),
        workerCredential: bearer('The credential that a worker got when it enrolled'),
        enrolmentToken: bearer('An enrolment token, mae_…'),
      },
    },
  };
};

let document: ReturnType<typeof build> | undefined;

/** The contracts as OpenAPI 3.1; made once, on the first call. */
export const openapi = (publicUrl: string) => {
  document ??= build();
  return { ...document, servers: [{ url: publicUrl }] };
};
