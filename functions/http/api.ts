import middy from '@middy/core';
import httpCors from '@middy/http-cors';
import httpRouter from '@middy/http-router';
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2, Context as LambdaContext } from 'aws-lambda';
import { AppError } from '../../schema/errors.ts';
import { apiOf, type Method, type Route } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';
import type { Context } from '../domain/context.ts';
import type { Lane } from '../domain/ports/pool.ts';
import { apiKeyEndpoints } from './api-keys.ts';
import { deadLetterEndpoints } from './dead-letters.ts';
import type { Endpoint } from './endpoint.ts';
import { liveEndpoints } from './live.ts';
import { problemResponse } from './problem.ts';
import { subtaskEndpoints } from './subtasks.ts';
import { systemEndpoints } from './system.ts';
import { taskEndpoints } from './tasks.ts';
import { workerEndpoints } from './workers.ts';

export type HttpHandler = (event: APIGatewayProxyEventV2, context: LambdaContext) => Promise<APIGatewayProxyResultV2>;

export const endpoints: readonly Endpoint[] = [
  ...systemEndpoints,
  ...taskEndpoints,
  ...subtaskEndpoints,
  ...workerEndpoints,
  ...liveEndpoints,
  ...deadLetterEndpoints,
  ...apiKeyEndpoints,
];

const patterns = allRoutes.map((route) => ({
  route,
  pattern: new RegExp(`^${route.path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
}));

/** Routes that support GET also support HEAD; the gateway omits the body. Workers do not need it. */
const methodsOf = (route: Route): readonly (Method | 'HEAD')[] =>
  route.method === 'GET' && apiOf(route) === 'person-api' ? ['GET', 'HEAD'] : [route.method];

const methodsAt = (path: string): string[] => patterns.filter((it) => it.pattern.test(path)).flatMap(({ route }) => methodsOf(route));

const notFound = ({ method, path }: { method: string; path: string }): never => {
  const allowed = methodsAt(path);
  if (allowed.length > 0) throw new AppError('method_not_allowed', `${path} does not support ${method}; allowed: ${allowed.join(', ')}`);
  throw new AppError('not_found', `No operation exists at ${path}; see /docs for the list of operations`);
};

/** Returns a known error unchanged, `unavailable` if the database is unreachable, and `internal` without details for any other error, which is a bug. */
const toAppError = (ctx: Context, error: unknown, requestId: string): AppError => {
  if (error instanceof AppError) return error;
  if (ctx.isUnavailable(error)) {
    ctx.log('warn', 'database.unavailable', { request_id: requestId, error });
    return new AppError('unavailable', 'The database is not responding; retry the request shortly');
  }
  ctx.log('error', 'request.failed', { request_id: requestId, error });
  return new AppError('internal', `An internal error occurred; contact the operator and give the request id ${requestId}`);
};

const answerError = (ctx: Context, error: unknown, { requestContext: { requestId, http } }: APIGatewayProxyEventV2) => {
  const known = toAppError(ctx, error, requestId);
  return problemResponse(known, requestId, known.code === 'method_not_allowed' ? { allow: methodsAt(http.path).join(', ') } : {});
};

const cors = (origins: readonly string[]) =>
  httpCors({
    origins: [...origins],
    disableBeforePreflightResponse: false,
    methods: 'GET,HEAD,POST,PATCH,DELETE',
    headers: 'authorization,content-type,idempotency-key,if-match,if-none-match',
    exposeHeaders: 'etag,retry-after,x-request-id',
    maxAge: 600,
    vary: 'Origin',
  });

const laneOf = (route: Route): Lane => {
  if (route.access === 'anyone') return 'inside'; // health checks, which must be fast while other requests wait
  if (apiOf(route) === 'worker-api') return 'workers';
  return route.method === 'GET' ? 'reads' : 'callers';
};

/** A gateway that detects a closed connection passes a signal for it; Lambda has none. */
const signalOf = (context: LambdaContext) => (context as LambdaContext & { signal?: AbortSignal }).signal;

const forRequest = (ctx: Context, route: Route, event: APIGatewayProxyEventV2, context: LambdaContext): Context => ({
  ...ctx,
  sql: ctx.sql.of(event.requestContext.requestId, { lane: laneOf(route), signal: signalOf(context) }),
});

const httpLambda = (ctx: Context, served: readonly Endpoint[]): HttpHandler => {
  const routes = served.flatMap(({ route, handle }) =>
    methodsOf(route).map((method) => ({
      method,
      path: route.path,
      handler: (event: APIGatewayProxyEventV2, context: LambdaContext): Promise<APIGatewayProxyResultV2> =>
        handle(forRequest(ctx, route, event, context), event),
    })),
  );
  const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyResultV2>();
  if (ctx.env.CORS_ORIGINS.length > 0) handler.use(cors(ctx.env.CORS_ORIGINS));
  handler.use({
    onError: (request) => {
      request.response = answerError(ctx, request.error, request.event);
    },
  });
  return logged(ctx, handler.handler(httpRouter<APIGatewayProxyEventV2, APIGatewayProxyResultV2>({ routes, notFoundResponse: notFound })));
};

/** Logs one line per request, without its content, and returns the request id in a header. */
const logged =
  (ctx: Context, handler: HttpHandler): HttpHandler =>
  async (event, context) => {
    const started = performance.now();
    const answer = await handler(event, context);
    const { requestId, http } = event.requestContext;
    const status = typeof answer === 'object' ? answer.statusCode : 200;
    ctx.log('info', 'request.done', {
      request_id: requestId,
      method: http.method,
      path: http.path,
      status,
      ms: Math.round(performance.now() - started),
    });
    return typeof answer === 'object' ? { ...answer, headers: { ...answer.headers, 'x-request-id': requestId } } : answer;
  };

/** The Lambda for callers: all operations except those of workers. It also receives requests for unknown paths. */
export const personApi = (ctx: Context): HttpHandler =>
  httpLambda(
    ctx,
    endpoints.filter(({ route }) => apiOf(route) === 'person-api'),
  );

export const workerApi = (ctx: Context): HttpHandler =>
  httpLambda(
    ctx,
    endpoints.filter(({ route }) => apiOf(route) === 'worker-api'),
  );
