import middy from '@middy/core';
import httpCors from '@middy/http-cors';
import httpRouter from '@middy/http-router';
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2, Context as LambdaContext } from 'aws-lambda';
import { AppError } from '../../schema/errors.ts';
import { apiOf } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';
import type { Context } from '../domain/context.ts';
import { apiKeyEndpoints } from './api-keys.ts';
import type { Endpoint } from './endpoint.ts';
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
  ...apiKeyEndpoints,
];

const patterns = allRoutes.map(({ method, path }) => ({ method, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`) }));

const notFound = ({ method, path }: { method: string; path: string }): never => {
  const allowed = patterns.filter((it) => it.pattern.test(path)).map((it) => it.method);
  if (allowed.length > 0) throw new AppError('method_not_allowed', `${path} takes ${allowed.join(', ')}, not ${method}`);
  throw new AppError('not_found', `There is nothing at ${path}; see /docs for what there is`);
};

const RETRY_AFTER = { 'retry-after': '1' };

/** The last resort: a known error is answered as it is, a database that is away as 503, all else is a bug and told as nothing but 500. */
const answerError = (ctx: Context, error: unknown, requestId: string) => {
  if (error instanceof AppError) return problemResponse(error, requestId, error.code === 'unavailable' ? RETRY_AFTER : {});
  if (ctx.isAway(error)) {
    ctx.log('warn', 'database.away', { request_id: requestId, error });
    return problemResponse(
      new AppError('unavailable', 'The database does not answer just now; repeat the request shortly'),
      requestId,
      RETRY_AFTER,
    );
  }
  ctx.log('error', 'request.failed', { request_id: requestId, error });
  return problemResponse(
    new AppError('internal', `An unexpected error happened; ask the operator with the request id ${requestId}`),
    requestId,
  );
};

const cors = (origins: readonly string[]) =>
  httpCors({
    origins: [...origins],
    disableBeforePreflightResponse: false,
    methods: 'GET,POST,PATCH,DELETE',
    headers: 'authorization,content-type,idempotency-key,if-match,if-none-match',
    exposeHeaders: 'etag,retry-after',
    maxAge: 600,
    vary: 'Origin',
  });

const httpLambda = (ctx: Context, served: readonly Endpoint[]): HttpHandler => {
  const routes = served.map(({ route, handle }) => ({
    method: route.method,
    path: route.path,
    handler: (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyResultV2> => handle(ctx, event),
  }));
  const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyResultV2>();
  if (ctx.env.CORS_ORIGINS.length > 0) handler.use(cors(ctx.env.CORS_ORIGINS));
  handler.use({
    onError: (request) => {
      request.response = answerError(ctx, request.error, request.event.requestContext.requestId);
    },
  });
  return handler.handler(httpRouter<APIGatewayProxyEventV2, APIGatewayProxyResultV2>({ routes, notFoundResponse: notFound }));
};

/** The Lambda of callers: everything but what workers do. Addresses that are nowhere come here too. */
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
