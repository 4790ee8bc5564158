import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { HttpHandler } from '../functions/http/api.ts';
import { withTimeout } from '../schema/client/with-timeout.ts';
import { LIMITS } from '../schema/json.ts';
import { apiOf } from '../schema/route.ts';
import { eventOf, pathOf, readBytes } from './gateway/event.ts';
import { matchRoute } from './gateway/match.ts';
import { sendProblem, sendResult } from './gateway/respond.ts';
import { lambdaContext } from './lambda.ts';

export type GatewayOptions = {
  handlers: Record<'person-api' | 'worker-api', HttpHandler>;
  /** Handles a request before the routes do. Returns false to pass it on. */
  first?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
  /** Takes over connections of upgrade requests; those that it does not take are handled as ordinary requests. */
  upgrades?: Upgrades;
  host?: string;
  /** 0 picks a free port. */
  port?: number;
  limits?: Partial<Limits>;
  onError?: (error: unknown) => void;
};
export type Upgrades = {
  wants(request: IncomingMessage): boolean;
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void;
};
type Limits = { bodyBytes: number; timeoutMs: number; requestMs: number; closeMs: number };
type Gateway = { url: string; port: number; close(): Promise<void> };

/** The limits of Lambda behind an HTTP API, except for the last one. */
const DEFAULTS: Limits = { bodyBytes: LIMITS.request_bytes, timeoutMs: 30_000, requestMs: 60_000, closeMs: 5_000 };

/** Turns HTTP requests into the events of API Gateway's HTTP API (payload format 2.0), and calls the handlers with them. */
export const startGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const limits = { ...DEFAULTS, ...options.limits };
  const timing = {
    keepAliveTimeout: 65_000,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.ceil(limits.requestMs / 4),
    shouldUpgradeCallback: (request: IncomingMessage) => options.upgrades?.wants(request) ?? false,
  };
  const server = createServer(timing, (request, response) => {
    handle(options, limits, request, response).catch((error: unknown) => {
      if (request.destroyed && !request.complete) return; // the client disconnected before it had sent everything
      options.onError?.(error);
      if (response.headersSent) response.destroy();
      else sendProblem(response, 500, 'internal', 'An internal error occurred');
    });
  });
  if (options.upgrades) server.on('upgrade', options.upgrades.take);
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { port, address } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    close: async () => {
      server.close();
      const idle = setInterval(() => server.closeIdleConnections(), 20); // a connection that is answering counts as idle only afterwards
      const timer = setTimeout(() => server.closeAllConnections(), limits.closeMs);
      await once(server, 'close');
      clearInterval(idle);
      clearTimeout(timer);
    },
  };
};

const handle = async (options: GatewayOptions, limits: Limits, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const gone = new AbortController();
  response.once('close', () => response.writableFinished || gone.abort());
  if (options.first && (await options.first(request, response))) return;
  if (gone.signal.aborted) return; // the client has disconnected, so the handler is not called
  const body = await readBytes(request, limits.bodyBytes);
  if (body === null) return sendProblem(response, 413, 'body_too_large', `The request body must be at most ${limits.bodyBytes} bytes`);
  const path = pathOf(request);
  if (path === null) return sendProblem(response, 400, 'invalid_request', 'The path must be percent-encoded UTF-8');
  const match = matchRoute(request.method ?? 'GET', path);
  const event = eventOf(request, path, body, match);
  const handler = options.handlers[match === null ? 'person-api' : apiOf(match.route)];
  const context = lambdaContext(event.requestContext.requestId, limits.timeoutMs, gone.signal);
  const result = await withTimeout(limits.timeoutMs, () => handler(event, context), { onTimeout: () => null });
  if (result === null) return sendProblem(response, 503, 'unavailable', `The operation took longer than ${limits.timeoutMs} ms`);
  sendResult(response, result, request.method === 'HEAD');
};
