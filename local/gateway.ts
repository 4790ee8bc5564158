import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyResultV2, Context as LambdaContext } from 'aws-lambda';
import type { HttpHandler } from '../functions/http/api.ts';
import { apiOf } from '../schema/route.ts';
import { eventOf, pathOf, readBytes } from './gateway/event.ts';
import { matchRoute } from './gateway/match.ts';
import { sendProblem, sendResult } from './gateway/respond.ts';

export type GatewayOptions = {
  handlers: Record<'person-api' | 'worker-api', HttpHandler>;
  /** Takes a request before the routes do; answers whether it has. */
  first?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
  host?: string;
  /** 0 picks a free one. */
  port?: number;
  limits?: Partial<Limits>;
  onError?: (error: unknown) => void;
};
type Limits = { bodyBytes: number; timeoutMs: number; requestMs: number };
type Gateway = { url: string; port: number; close(): Promise<void> };

/** Those of Lambda behind an HTTP API. */
const LIMITS: Limits = { bodyBytes: 6_291_456, timeoutMs: 30_000, requestMs: 60_000 };
const CLOSE_MS = 5_000;

/** Makes of HTTP requests what API Gateway's HTTP API makes of them (payload 2.0), and calls the handlers with it. */
export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const limits = { ...LIMITS, ...options.limits };
  const timing = {
    keepAliveTimeout: 65_000,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.ceil(limits.requestMs / 4),
  };
  const server = createServer(timing, (request, response) => {
    handle(options, limits, request, response).catch((error: unknown) => {
      if (request.destroyed && !request.complete) return; // the client gave up before it had sent everything
      options.onError?.(error);
      if (response.headersSent) response.destroy();
      else sendProblem(response, 500, 'internal', 'An unexpected error happened');
    });
  });
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { port, address } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    close: async () => {
      server.close();
      const idle = setInterval(() => server.closeIdleConnections(), 20); // one that is answering now is idle only then
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
      await once(server, 'close');
      clearInterval(idle);
      clearTimeout(timer);
    },
  };
};

const handle = async (options: GatewayOptions, limits: Limits, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  if (options.first && (await options.first(request, response))) return;
  const body = await readBytes(request, limits.bodyBytes);
  if (body === null) return sendProblem(response, 413, 'body_too_large', `The body must be at most ${limits.bodyBytes} bytes`);
  const path = pathOf(request);
  if (path === null) return sendProblem(response, 400, 'invalid_request', 'The path must be percent-encoded UTF-8');
  const match = matchRoute(request.method ?? 'GET', path);
  const event = eventOf(request, path, body, match);
  const handler = options.handlers[match === null ? 'person-api' : apiOf(match.route)];
  const result = await within(limits.timeoutMs, handler(event, lambdaContext(event.requestContext.requestId, limits)));
  if (result === null) return sendProblem(response, 503, 'unavailable', `The operation took longer than ${limits.timeoutMs} ms`);
  sendResult(response, result, request.method === 'HEAD');
};

/** Null when it takes longer; what it answers then is lost, as it is there. */
const within = async (ms: number, work: Promise<APIGatewayProxyResultV2>): Promise<APIGatewayProxyResultV2 | null> => {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

const lambdaContext = (requestId: string, { timeoutMs }: Limits): LambdaContext => {
  const end = performance.now() + timeoutMs;
  const context = {
    awsRequestId: requestId || randomUUID(),
    functionName: 'local',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:local:000000000000:function:local',
    memoryLimitInMB: '512',
    logGroupName: 'local',
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, end - performance.now()),
  };
  return context as LambdaContext;
};
