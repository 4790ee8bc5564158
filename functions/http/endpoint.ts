import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { AppError, type FieldError } from '../../schema/errors.ts';
import type { Body, Output, Params, Query, Route, Scope } from '../../schema/route.ts';
import { jsonHash } from '../domain/canonical.ts';
import type { Context } from '../domain/context.ts';
import { once, type OnceRequest } from '../domain/idempotency.ts';
import { wakeClock } from '../domain/outbox/wake.ts';
import type { Principal } from '../domain/principal.ts';
import { commit, type Unit } from '../domain/unit-of-work.ts';
import { authenticate, type PrincipalOf } from './authenticate.ts';
import { checkText, readBody } from './body.ts';
import { etagOf, isKnown } from './etag.ts';
import { faultsOf, invalid, messageOf } from './faults.ts';
import { RETRY_AFTER } from './problem.ts';

/** What a use case receives from a request, validated by its contract. */
export type Request<R extends Route> = {
  ctx: Context;
  principal: PrincipalOf<R['access']>;
  params: Params<R>;
  query: Query<R>;
  body: Body<R>;
  headers: Record<string, string | undefined>;
  /** The Idempotency-Key of the request. */
  once: OnceRequest | null;
};
/** The same for a use case that runs in a transaction. */
export type UnitRequest<R extends Route> = Omit<Request<R>, 'ctx' | 'once'> & { unit: Unit };
export type Answer<T> = T | { answer: T; status: number };
export type Endpoint = { route: Route; handle(ctx: Context, event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> };

const MOST_ERRORS = 20;

const noParameters = (query: object): FieldError[] =>
  Object.keys(query).map((key) => ({ path: `query.${key}`, message: 'unknown parameter; this operation takes no query parameters' }));

/** Parses the three parts of a request and reports the faults of all of them at once. */
const parseParts = (route: Route, raw: Record<'params' | 'query' | 'body', unknown>) => {
  const errors: FieldError[] = route.query === undefined ? noParameters(raw.query as object) : [];
  const parsed: Record<string, unknown> = {};
  for (const part of ['params', 'query', 'body'] as const) {
    const result = route[part]?.safeParse(raw[part], { error: messageOf });
    if (result?.success) parsed[part] = result.data;
    else if (result) errors.push(...faultsOf(result.error, part));
  }
  const [first] = errors;
  if (first) throw new AppError('invalid_request', `${first.path}: ${first.message}`, { errors: errors.slice(0, MOST_ERRORS) });
  return parsed as { params: never; query: never; body: never };
};

/** Checks the strings of the path or query; readBody checks those of the body. API Gateway omits absent values, emulators send null. */
const checkTexts = (part: 'params' | 'query', values: Record<string, string | undefined> | null | undefined) => {
  for (const [name, value] of Object.entries(values ?? {})) checkText(value ?? '', `${part}.${name}`);
  return { ...values };
};

const idempotencyKey = (headers: Record<string, string | undefined>): string | null => {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (/^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw invalid('headers.idempotency-key', 'must be 1 to 200 printable ASCII characters without spaces');
};

/** A worker may act only for itself; the path of another worker does not exist for it. */
const checkSelf = (principal: Principal, params: Record<string, unknown> | undefined) => {
  if (principal.kind === 'worker' && params?.worker_id !== undefined && params.worker_id !== principal.worker_id)
    throw new AppError('worker_not_found', 'No worker has this id');
};

/** Authenticates the caller and validates the request. */
const requestOf = async <R extends Route>(ctx: Context, route: R, event: APIGatewayProxyEventV2): Promise<Request<R>> => {
  const { headers } = event;
  const principal = await authenticate(ctx, route, headers);
  const parts = parseParts(route, {
    params: checkTexts('params', event.pathParameters),
    query: checkTexts('query', event.queryStringParameters),
    body: readBody(route, event),
  });
  checkSelf(principal, parts.params);
  const key = route.idempotent && principal.kind === 'caller' ? idempotencyKey(headers) : null;
  const once = key === null ? null : keyed(route, key, parts, headers);
  return { ...parts, ctx, principal: principal as PrincipalOf<R['access']>, headers, once };
};

/** Binds a contract to its use case: authentication, parsing of input and output, caching. The use case itself must apply `once`. */
export const endpoint = <const R extends Route>(route: R, work: (request: Request<R>) => Promise<Answer<Output<R>>>): Endpoint => ({
  route,
  handle: async (ctx, event) => respond(route, await work(await requestOf(ctx, route, event)), event.headers),
});

/**
 * Binds a contract to a use case that is one unit of work: with an Idempotency-Key, its response is stored in the same transaction.
 * Set `wakesClock` if it creates work for the tick; the tick is woken before the transaction begins.
 */
export const transaction = <const R extends Route & { access: Scope }>(
  route: R,
  work: (request: UnitRequest<R>) => Promise<Output<R>>,
  { wakesClock = false }: { wakesClock?: boolean } = {},
): Endpoint =>
  endpoint(route, async ({ ctx, once: request, ...rest }) => {
    if (wakesClock) await wakeClock(ctx);
    return commit(ctx, (unit) => {
      const run = () => work({ ...rest, unit });
      return request === null ? run() : once(unit, ctx, rest.principal, request, run);
    });
  });

const keyed = (
  route: Route,
  key: string,
  parts: { params: never; query: never; body: never },
  headers: Record<string, string | undefined>,
): OnceRequest => ({
  key,
  operation: route.name,
  hash: jsonHash({ ...parts, if_match: headers['if-match'] ?? null }),
  secret: route.secret ?? false,
});

const unwrap = (route: Route, answer: Answer<unknown>): { answer: unknown; status: number } =>
  answer !== null && typeof answer === 'object' && 'answer' in answer && 'status' in answer
    ? (answer as { answer: unknown; status: number })
    : { answer, status: route.status };

const respond = (route: Route, given: Answer<unknown>, headers: Record<string, string | undefined>): APIGatewayProxyStructuredResultV2 => {
  const { answer, status } = unwrap(route, given);
  const output = route.output.parse(answer);
  if (route.contentType)
    return { statusCode: status, headers: { 'content-type': `${route.contentType}; charset=utf-8` }, body: String(output) };
  const etag = route.etag ? etagOf(output) : null;
  const caching: Record<string, string> = etag === null ? {} : { etag, 'cache-control': 'private, no-cache' };
  if (etag !== null && route.method === 'GET' && isKnown(headers['if-none-match'], etag)) return { statusCode: 304, headers: caching };
  const later = status === 503 ? RETRY_AFTER : {};
  return { statusCode: status, headers: { 'content-type': 'application/json', ...caching, ...later }, body: JSON.stringify(output) };
};
