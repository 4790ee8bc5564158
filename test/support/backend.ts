import { randomUUID } from 'node:crypto';
import type { APIGatewayProxyEventV2, Context as LambdaContext } from 'aws-lambda';
import { openPool } from '../../functions/platform/pool.ts';
import { inject, onTestFinished } from 'vitest';
import { parseEnv } from '../../schema/env.ts';
import { apiOf, type Input, type Output, type Route } from '../../schema/route.ts';
import { allRoutes, ROUTES, type RouteName, type Routes } from '../../schema/routes.ts';
import { bootstrap } from '../../functions/domain/organizations/organizations.ts';
import { insertApiKey } from '../../functions/domain/api-keys/api-keys.sql.ts';
import { newSecret, secretHash } from '../../functions/domain/secrets.ts';
import { type HttpHandler, personApi, workerApi } from '../../functions/http/api.ts';
import { type Composed, createContext, type Parts } from '../../functions/platform/context.ts';
import { SCOPES, type Scope } from '../../schema/route.ts';
import { createSubmit } from '../../functions/domain/tasks/submissions.ts';
import { createAdvance } from '../../functions/domain/attempts/advance.ts';
import { createRedis } from '../../functions/platform/redis.ts';
import { TEMPLATE } from './global-setup.ts';
import { openTestRedis } from './redis.ts';
import { NO_REDIS, PATIENCE_MS } from './redis-kind.ts';

export type Reply<T = unknown> = { status: number; body: T; headers: Record<string, string> };
export type RawRequest = {
  method: string;
  path: string;
  body?: unknown;
  text?: string;
  token?: string | undefined;
  headers?: Record<string, string>;
};

/** A copy of the template database, dropped at the end. */
export const createDatabase = async (): Promise<{ url: string; drop(): Promise<void> }> => {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const admin = openPool(inject('databaseUrl'));
  for (let triesLeft = 50; ; triesLeft--) {
    try {
      await admin.unsafe(`create database ${name} template ${TEMPLATE}`);
      break;
    } catch (error) {
      // Another process is copying the template.
      if (triesLeft === 0 || (error as { code?: string }).code !== '55006') throw error;
    }
  }
  const url = new URL(inject('databaseUrl'));
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
};

export type Backend = Awaited<ReturnType<typeof createBackend>>;

/** The real handlers with their own database, called as Lambda calls them. */
export const createBackend = async (options: Parts & { env?: Record<string, string>; pool?: number; isServerless?: boolean } = {}) => {
  const { env: given, pool = 4, isServerless = false, ...parts } = options;
  const database = await createDatabase();
  const env = parseEnv({
    DATABASE_URL: database.url,
    SECRET_KEY: 'a secret for tests that is long enough',
    DATABASE_POOL_SIZE: String(pool),
    DATABASE_PREPARE: 'true',
    CORS_ORIGINS: 'https://app.example',
    LOG_LEVEL: 'error',
    HEALTH_MS: String(PATIENCE_MS),
    ...given,
  });
  const requester = NO_REDIS ? null : openTestRedis();
  /** Warnings and errors. */
  const logged: { event: string; fields: Record<string, unknown> }[] = [];
  const ctx = createContext(env, {
    ...(requester ? { redis: createRedis({ requester }, { timeoutMs: PATIENCE_MS }) } : {}),
    ...parts,
    log: (level, event, fields = {}) => {
      if (level === 'warn' || level === 'error') logged.push({ event, fields });
    },
  });
  const handlersOf = (composed: Composed) => ({ 'person-api': personApi(composed), 'worker-api': workerApi(composed) });
  const shared = handlersOf(ctx);
  const { admin_key } = await bootstrap(ctx);
  // Requests of several Lambda instances never share a statement; those of one process may.
  const send = (request: RawRequest) =>
    invoke(isServerless ? handlersOf({ ...ctx, advance: createAdvance(), submit: createSubmit(100) }) : shared, request);
  return {
    ctx,
    logged,
    send,
    url: database.url,
    adminKey: admin_key as string,
    admin: caller(send, admin_key as string),
    as: (token: string) => caller(send, token),
    /** A key of another owner, in this organization or a new one. */
    newKey: (of?: { organization?: string; scopes?: Scope[] }) => newKey(ctx, of),
    close: async () => {
      await ctx.close();
      await requester?.close();
      await database.drop();
    },
  };
};

const newKey = async (ctx: Composed, { organization, scopes = [...SCOPES] }: { organization?: string; scopes?: Scope[] } = {}) => {
  const [{ organization_id }] =
    organization === undefined
      ? await ctx.sql<[{ organization_id: string }]>`select organization_id from organizations order by created_at limit 1`
      : await ctx.sql<[{ organization_id: string }]>`insert into organizations (name) values (${organization}) returning organization_id`;
  const secret = newSecret('mak');
  const key = await insertApiKey(ctx.sql, organization_id, { name: 'another', scopes }, secretHash(secret), secret.slice(0, 8));
  return { key: secret, owner_id: key.owner_id, organization_id };
};

const matchers = allRoutes.map((route) => ({ route, pattern: new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`) }));

const invoke = async (handlers: Record<'person-api' | 'worker-api', HttpHandler>, request: RawRequest): Promise<Reply> => {
  const [path = '', query = ''] = request.path.split('?');
  const matched = matchers.find(({ route, pattern }) => route.method === request.method && pattern.test(path));
  const text = request.text ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
  const headers: Record<string, string> = { ...request.headers };
  if (text !== undefined) headers['content-type'] ??= 'application/json';
  if (request.token !== undefined) headers.authorization = `Bearer ${request.token}`;
  const event = {
    version: '2.0',
    rawPath: path,
    rawQueryString: query,
    headers,
    queryStringParameters: query ? Object.fromEntries(new URLSearchParams(query)) : undefined,
    requestContext: { requestId: randomUUID(), http: { method: request.method, path } },
    body: text,
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2;
  const response = await handlers[matched ? apiOf(matched.route) : 'person-api'](event, {} as LambdaContext);
  if (typeof response === 'string') throw new Error('expected a structured response');
  const responseHeaders = response.headers as Record<string, string>;
  const isJson = /json/.test(responseHeaders['content-type'] ?? '');
  const body = isJson ? JSON.parse(response.body ?? 'null') : response.body;
  return { status: response.statusCode ?? 0, headers: responseHeaders, body };
};

export const pathOf = (route: Route, params: Record<string, unknown> = {}, query: Record<string, unknown> = {}) => {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const search = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();
  return search ? `${path}?${search}` : path;
};

/** `isKeyed: false` sends no Idempotency-Key where the shipped client sends a fresh one. */
type Sending = { headers?: Record<string, string>; isKeyed?: boolean };
type Call = {
  [N in RouteName]: (input?: Input<Routes[N]> & Sending) => Promise<Reply<Output<Routes[N]>>>;
};
/** Calls operations by name, with the headers of the shipped client. Returns status and body of any response; `ok` throws unless it is a success. */
export type Caller = Call & {
  ok: { [N in RouteName]: (input?: Input<Routes[N]> & Sending) => Promise<Output<Routes[N]>> };
};

const caller = (send: (request: RawRequest) => Promise<Reply>, token: string): Caller => {
  const call =
    (name: RouteName) =>
    (input: { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown } & Sending = {}) => {
      const route: Route = ROUTES[name];
      const key: Record<string, string> = route.idempotent && input.isKeyed !== false ? { 'idempotency-key': randomUUID() } : {};
      return send({
        method: route.method,
        path: pathOf(route, input.params, input.query),
        body: input.body,
        token,
        headers: { ...key, ...input.headers },
      });
    };
  const ok =
    (name: RouteName) =>
    async (input: object = {}) => {
      const reply = await call(name)(input);
      if (reply.status >= 300) throw new Error(`${name} returned ${reply.status}: ${JSON.stringify(reply.body)}`);
      return reply.body;
    };
  const names = Object.keys(ROUTES) as RouteName[];
  return {
    ...Object.fromEntries(names.map((name) => [name, call(name)])),
    ok: Object.fromEntries(names.map((name) => [name, ok(name)])),
  } as unknown as Caller;
};

/** A backend for the current test; closed when the test ends. */
export const backendForTest = async (options: Parameters<typeof createBackend>[0] = {}) => {
  const backend = await createBackend(options);
  onTestFinished(() => backend.close());
  return backend;
};
