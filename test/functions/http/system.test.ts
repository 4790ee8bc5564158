import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openapi } from '../../../functions/http/openapi.ts';
import type { Problem } from '../../../schema/errors.ts';
import { LIMITS } from '../../../schema/json.ts';
import { apiOf } from '../../../schema/route.ts';
import { allRoutes, ROUTES } from '../../../schema/routes.ts';
import { backendForTest, type RawRequest } from '../../support/backend.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { unlisted } from './support/document.ts';
import { firstOf, requestOf } from './support/samples.ts';
import { createWorld, type World } from './support/world.ts';

const ORIGIN = 'https://app.example';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const send = (method: string, path: string, request: Partial<RawRequest> = {}) => world.backend.send({ method, path, ...request });
const get = (path: string, headers: Record<string, string> = {}) => send('GET', path, { headers, token: world.key });
const lowerCased = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

describe('the root', () => {
  it('describes the API and its main paths, each of which responds', async () => {
    const { status, body } = await get('/');
    const { docs, openapi: description, health, ...rest } = body as Record<string, string>;

    expect([status, rest]).toEqual([200, { app: expect.any(String), version: expect.any(String), api: '/api/v1' }]);
    for (const path of [docs, description, health]) expect((await get(path as string)).status).toBe(200);
  });
});

describe('health', () => {
  it('is available in four forms without a credential', async () => {
    const healthy = { status: 'healthy', services: { database: 'connected', redis: NO_REDIS ? 'not_configured' : 'connected' } };
    const redis = NO_REDIS ? { status: 'not_configured', latency_ms: null } : { status: 'healthy', latency_ms: expect.any(Number) };

    expect((await send('GET', '/api/v1/health')).body).toMatchObject(healthy);
    expect((await send('GET', '/api/v1/health/database')).body).toEqual({ status: 'healthy', latency_ms: expect.any(Number) });
    expect((await send('GET', '/api/v1/health/redis')).body).toEqual(redis);
    expect((await send('GET', '/api/v1/health/detailed')).body).toMatchObject({
      ...healthy,
      database: { status: 'healthy', migration: expect.stringMatching(/^\d{4}_\w+\.sql$/), connections_max: 4 },
      node: process.version,
    });
  });

  it('is 503 in the same form while the database is unavailable, and other operations return Retry-After', async () => {
    const backend = await backendForTest();
    await backend.ctx.sql.end();

    for (const route of [ROUTES.getHealth, ROUTES.getDatabaseHealth, ROUTES.getDetailedHealth]) {
      const reply = await backend.send({ method: 'GET', path: route.path });
      expect([reply.status, reply.body]).toMatchObject([503, { status: 'unhealthy' }]);
      expect(unlisted(route, reply)).toBeNull();
    }
    const reply = await backend.admin.listTasks();
    expect([reply.status, reply.body, reply.headers]).toMatchObject([503, { code: 'unavailable' }, { 'retry-after': '1' }]);
    expect((await backend.send({ method: 'GET', path: '/docs' })).status).toBe(200);
  });
});

describe('a check of health', () => {
  it('does not wait for a database that does not respond', async () => {
    const backend = await backendForTest({ pool: 1, env: { HEALTH_MS: '100' } });
    const [begun, checked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const busy = backend.ctx.sql.begin(() => {
      begun.resolve();
      return checked.promise;
    });
    await begun.promise;

    const { status, body } = await backend.send({ method: 'GET', path: ROUTES.getDatabaseHealth.path });
    checked.resolve();
    await busy;

    expect([status, body]).toEqual([503, { status: 'unhealthy', latency_ms: null }]);
  });
});

describe('the documents', () => {
  it('give the OpenAPI description with the public address', async () => {
    const { headers, body } = await get('/openapi.json');

    expect(headers['content-type']).toBe('application/json');
    expect(body).toEqual(JSON.parse(JSON.stringify(openapi(world.backend.ctx.env.PUBLIC_URL))));
  });

  it('give every operation on one page that loads nothing else', async () => {
    const { headers, body } = await get('/docs');
    const page = String(body);

    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(allRoutes.filter(({ name, path }) => !page.includes(`id="${name}"`) || !page.includes(path))).toEqual([]);
    expect(page.match(/<(script|link|img|iframe)|@import|url\(|(src|href)="(?!#|\/openapi\.json")/g)).toBeNull();
  });
});

describe('an ETag', () => {
  it('avoids reading an unchanged task again', async () => {
    const path = `/api/v1/tasks/${(await world.task()).task_id}`;
    const { etag } = (await get(path)).headers as { etag: string };

    for (const known of [etag, `W/${etag}`, `"0", ${etag}`, '*']) {
      const { status, body, headers } = await get(path, { 'if-none-match': known });
      expect([status, body, headers.etag]).toEqual([304, undefined, etag]);
    }
    expect((await get(path, { 'if-none-match': '"0"' })).status).toBe(200);
    await send('PATCH', path, { body: { priority: 9 }, headers: { 'if-match': etag }, token: world.key });
    expect((await get(path, { 'if-none-match': etag })).status).toBe(200);
  });

  it('is not given for a worker, whose status changes without its version', async () => {
    const { worker_id } = await world.worker();

    expect((await get(`/api/v1/workers/${worker_id}`)).headers.etag).toBeUndefined();
  });
});

describe.each([
  ['task', () => world.task().then(({ task_id }) => `/api/v1/tasks/${task_id}`), { priority: 9 }],
  ['worker', () => world.worker().then(({ worker_id }) => `/api/v1/workers/${worker_id}`), { name: 'renamed' }],
] as const)('the version of a %s', (_, make, change) => {
  const patch = (path: string, body: object, headers: Record<string, string> = {}) =>
    send('PATCH', path, { body, headers, token: world.key });

  it('protects a change, by If-Match and by version, from a concurrent one', async () => {
    const path = await make();
    const { version } = (await get(path)).body as { version: number };

    const etag = `"${version}"`;
    const changed = await patch(path, change, { 'if-match': etag });

    expect([changed.status, changed.body, changed.headers.etag]).toMatchObject([200, change, `"${version + 1}"`]);
    expect(await patch(path, change, { 'if-match': etag })).toMatchObject({
      status: 412,
      body: { code: 'version_conflict' },
    });
    expect(await patch(path, { ...change, version })).toMatchObject({ status: 412, body: { code: 'version_conflict' } });
  });

  it('refuses a change to a version that does not exist yet', async () => {
    const path = await make();
    const before = (await get(path)).body as { version: number };
    const refused = { status: 412, body: { code: 'version_conflict' } };

    expect(await patch(path, { ...change, version: before.version + 1 })).toMatchObject(refused);
    expect(await patch(path, change, { 'if-match': `"${before.version + 1}"` })).toMatchObject(refused);

    expect((await get(path)).body).toMatchObject({ version: before.version });
  });

  it('is required for a change, and must equal the version', async () => {
    const path = await make();
    const refused = { status: 400, body: { errors: [{ path: 'body.version' }] } };

    expect(await patch(path, change)).toMatchObject(refused);
    expect(await patch(path, { ...change, version: 2 }, { 'if-match': '"1"' })).toMatchObject(refused);
  });
});

describe('a page of another origin', () => {
  const preflight = {
    origin: ORIGIN,
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization,if-match',
  };

  it('that is allowed may send every method and header of the contracts', async () => {
    const { status, headers } = await send('OPTIONS', '/api/v1/tasks', { headers: preflight });
    const { 'access-control-allow-methods': methods = '', ...allowed } = lowerCased(headers);

    expect(status).toBe(204);
    expect(allowed).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-headers': 'authorization,content-type,idempotency-key,if-match,if-none-match',
      'access-control-max-age': '600',
      vary: expect.stringContaining('Origin'),
    });
    expect(allRoutes.filter(({ method }) => !methods.split(',').includes(method))).toEqual([]);
  });

  it('that is allowed can read responses and refusals, with ETag and Retry-After', async () => {
    const answers = [await get('/api/v1/tasks', { origin: ORIGIN }), await send('GET', '/api/v1/tasks', { headers: { origin: ORIGIN } })];

    expect(answers.map(({ status }) => status)).toEqual([200, 401]);
    for (const { headers } of answers)
      expect(lowerCased(headers)).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-expose-headers': 'etag,retry-after,x-request-id',
      });
  });

  it('that is not allowed gets no permission', async () => {
    const others = ['https://elsewhere.example', 'https://app.example.elsewhere.example', 'http://app.example', 'null'];
    const answers = await Promise.all(
      others.flatMap((origin) => [send('OPTIONS', '/api/v1/tasks', { headers: { ...preflight, origin } }), get('/', { origin })]),
    );

    expect(answers.filter(({ headers }) => 'access-control-allow-origin' in lowerCased(headers))).toEqual([]);
  });
});

describe('an address', () => {
  const paths = [...Map.groupBy(allRoutes, ({ path }) => path)];

  it.each(['/nowhere', '/api/v1', '/api/v1/tasks/a/b', '/api/v2/tasks', '/api/v1/tasks/%2e%2e/keys', '/__proto__'])(
    '%s that is nowhere is not found',
    async (path) => {
      const { status, body, headers } = await get(path);

      expect([status, headers['content-type']]).toEqual([404, 'application/problem+json']);
      expect(body).toMatchObject({
        status: 404,
        code: 'not_found',
        detail: `No operation exists at ${path}; see /docs for the list of operations`,
      });
    },
  );

  it.each(paths)('%s lists its allowed methods when another one is used', async (path, routes) => {
    const methods = routes.flatMap((it) => (it.method === 'GET' && apiOf(it) === 'person-api' ? ['GET', 'HEAD'] : [it.method]));
    const { status, body, headers } = await send('PUT', path.replace(/\{\w+\}/g, 'x'));

    expect([status, headers['content-type'], headers.allow]).toEqual([405, 'application/problem+json', methods.join(', ')]);
    expect(body).toMatchObject({ status: 405, code: 'method_not_allowed' });
  });

  const readable = allRoutes.filter((route) => route.method === 'GET' && apiOf(route) === 'person-api');
  it.each(readable.map((route) => [route.name, route] as const))('supports HEAD like GET for %s', async (operation, route) => {
    const request = requestOf(route, await firstOf(world, operation));
    const [asGet, asHead] = [await world.backend.send(request), await world.backend.send({ ...request, method: 'HEAD' })];

    expect([asHead.status, { ...asHead.headers, 'x-request-id': '' }]).toEqual([asGet.status, { ...asGet.headers, 'x-request-id': '' }]);
  });
});

describe('an internal error', () => {
  it('is a 500 with a request id and no details; the log has its cause under that id', async () => {
    const backend = await backendForTest();
    await backend.ctx.sql`alter table tasks rename column goal to goals`;

    const reply = await backend.admin.listTasks();
    const { code, request_id } = reply.body as unknown as Problem;

    expect([reply.status, code, unlisted(ROUTES.listTasks, reply)]).toEqual([500, 'internal', null]);
    expect(JSON.stringify(reply.body)).not.toMatch(/goal|column|select|postgres/i);
    expect(backend.logged).toMatchObject([{ event: 'request.failed', fields: { request_id, error: { code: '42703' } } }]);
  });
});

describe('a body', () => {
  const nested = (levels: number): unknown => (levels === 1 ? {} : { in: nested(levels - 1) });

  it('may be nested up to the limit, but no deeper', async () => {
    const submit = (levels: number) =>
      send('POST', '/api/v1/tasks', { token: world.key, body: { goal: 'deep', metadata: nested(levels - 1) } });

    expect((await submit(LIMITS.json_depth)).status).toBe(201);
    expect(await submit(LIMITS.json_depth + 1)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('is measured in bytes, not in characters', async () => {
    const text = JSON.stringify({ goal: 'é'.repeat(LIMITS.request_bytes / 2) });

    const { status, body } = await send('POST', '/api/v1/tasks', { token: world.key, text });

    expect([status, (body as Problem).code]).toEqual([413, 'body_too_large']);
  });
});
