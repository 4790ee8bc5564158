import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../../schema/errors.ts';
import { isCaller, type Route } from '../../../schema/route.ts';
import { allRoutes } from '../../../schema/routes.ts';
import type { Reply } from '../../support/backend.ts';
import { countRows, fingerprint, rowsOf } from './support/contents.ts';
import { firstOf, requestOf, type Sample } from './support/samples.ts';
import { abroad, createWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const mutating = allRoutes.filter((route) => isCaller(route.access) && route.method !== 'GET' && !route.fleeting);
const named = mutating.map((route) => [route.name, route] as const);

const send = (route: Route, sample: Sample, key: string) =>
  world.backend.send(requestOf(route, { ...sample, headers: { ...sample.headers, 'idempotency-key': key } }));
const contents = () => fingerprint(world.backend.ctx.sql);
/** Every request has its own id. */
const shown = ({ status, body, headers }: Reply) => ({ status, body, headers: { ...headers, 'x-request-id': undefined } });
const codeOf = ({ status, body }: Reply) => [status, (body as Problem).code];

const ALTERED: Record<string, object> = {
  submitTask: { goal: 'another goal' },
  addSubtasks: { subtasks: [{ key: 'other', goal: 'another step' }] },
  updateTask: { priority: 1 },
  cancelTask: { reason: 'for another reason' },
  createEnrolmentToken: { tools: ['scripted'] },
  updateWorker: { name: 'named otherwise' },
  createApiKey: { name: 'another key' },
};

/** The same request with one relevant difference: a field, or the object that it refers to. */
const altered = (route: Route, sample: Sample): Sample =>
  ALTERED[route.name]
    ? { ...sample, body: { ...(sample.body as object), ...ALTERED[route.name] } }
    : { ...sample, params: { [Object.keys(sample.params ?? {})[0] as string]: randomUUID() } };

/** The number of rows that some work adds to each table; tables without new rows are omitted. */
const growth = async (work: () => Promise<unknown>) => {
  const before = await countRows(world.backend.ctx.sql);
  await work();
  const after = await countRows(world.backend.ctx.sql);
  return Object.entries(after).flatMap(([table, count]) => (count === before[table] ? [] : [`${table} ${count - (before[table] ?? 0)}`]));
};

describe('an Idempotency-Key', () => {
  it('is accepted by every caller operation that changes something, and by no other', () => {
    expect(allRoutes.filter((route) => route.idempotent).map((route) => route.name)).toEqual(mutating.map((route) => route.name));
  });

  it.each(named)('makes %s, repeated, return the same response without a second effect', async (operation, route) => {
    const sample = await firstOf(world, operation);
    const key = randomUUID();

    const first = await send(route, sample, key);
    const before = await contents();
    const again = await send(route, sample, key);

    expect(first.status).toBe(route.status);
    expect(shown(again)).toEqual(shown(first));
    expect(await contents()).toEqual(before);
  });

  it.each(named)('makes %s, sent four times concurrently, have one effect', async (operation, route) => {
    await send(route, await firstOf(world, operation), randomUUID()); // it creates what later requests share, such as a queue's clock
    const alone = await firstOf(world, operation);
    const once = await growth(() => send(route, alone, randomUUID()));
    const sample = await firstOf(world, operation);
    const key = randomUUID();
    let replies: Reply[] = [];

    const together = await growth(async () => {
      replies = await Promise.all([1, 2, 3, 4].map(() => send(route, sample, key)));
    });

    expect(replies.map(({ status }) => status)).toEqual([1, 2, 3, 4].map(() => route.status));
    expect(new Set(replies.map((reply) => JSON.stringify(shown(reply)))).size).toBe(1);
    expect(together).toEqual(once);
  });

  it.each(named)('is refused by %s for a different request, which changes nothing', async (operation, route) => {
    const sample = await firstOf(world, operation);
    const key = randomUUID();
    const elsewhere = mutating.find((it) => it.name !== operation) as Route;
    const other = await firstOf(world, elsewhere.name);
    await send(route, sample, key);
    const before = await contents();

    const answers = [await send(route, altered(route, sample), key), await send(elsewhere, other, key)];

    expect(answers.map(codeOf)).toEqual([
      [422, 'idempotency_key_reused'],
      [422, 'idempotency_key_reused'],
    ]);
    expect(await contents()).toEqual(before);
  });

  it('is refused by another operation with the same input', async () => {
    const { task_id } = await world.task();
    const request = { params: { task_id }, body: {}, headers: { 'idempotency-key': 'pause' } };

    expect(codeOf(await world.admin.pauseTask(request))).toEqual([200, undefined]);
    expect(codeOf(await world.admin.resumeTask(request))).toEqual([422, 'idempotency_key_reused']);
  });

  it('is refused with another If-Match', async () => {
    const { task_id, version } = await world.task();
    const params = { task_id };
    const change = (ifMatch: number) =>
      world.admin.updateTask({ params, body: { priority: 9 }, headers: { 'if-match': `"${ifMatch}"`, 'idempotency-key': 'if-match' } });

    expect(codeOf(await change(version))).toEqual([200, undefined]);
    expect(codeOf(await change(version + 1))).toEqual([422, 'idempotency_key_reused']);
  });

  it('covers a body with the same fields in another order or with explicit defaults', async () => {
    const headers = { 'idempotency-key': 'order' };
    const first = await world.admin.submitTask({ body: { goal: 'g', priority: 5, metadata: { a: 1, b: 2 } }, headers });
    const again = await world.admin.submitTask({ body: { metadata: { b: 2, a: 1 }, goal: 'g' }, headers });

    expect(again.body).toEqual(first.body);
  });

  it('belongs to one caller', async () => {
    const headers = { 'idempotency-key': 'shared' };
    const callers = [world.admin, world.backend.as((await world.backend.newKey()).key), (await abroad(world)).admin];

    const submit = async () => {
      const tasks: { task_id: string }[] = [];
      for (const caller of callers) tasks.push(await caller.ok.submitTask({ body: { goal: 'the same' }, headers }));
      return tasks;
    };
    const tasks = await submit();

    expect(new Set(tasks.map(({ task_id }) => task_id)).size).toBe(3);
    expect(await submit()).toEqual(tasks);
  });

  it('belongs to one caller for an operation whose response is stored by its transaction', async () => {
    const headers = { 'idempotency-key': 'shared-by-transactions' };
    const callers = [world.admin, world.backend.as((await world.backend.newKey()).key)];

    const create = async () => {
      const keys: { api_key_id: string }[] = [];
      for (const caller of callers) keys.push(await caller.ok.createApiKey({ body: { name: 'k', scopes: ['tasks:read'] }, headers }));
      return keys;
    };
    const keys = await create();

    expect(new Set(keys.map(({ api_key_id }) => api_key_id)).size).toBe(2);
    expect(await create()).toEqual(keys);
  });

  it('stores no refusal: a refused request can be repeated once it is possible', async () => {
    const { task_id } = await world.task();
    const retry = () => world.admin.retryTask({ params: { task_id }, headers: { 'idempotency-key': 'later' } });

    expect(codeOf(await retry())).toEqual([409, 'task_not_ended']);
    await world.admin.ok.cancelTask({ params: { task_id } });
    expect(codeOf(await retry())).toEqual([200, undefined]);
  });

  it('that is omitted makes every call a separate request', async () => {
    const submit = () => world.admin.ok.submitTask({ body: { goal: 'twice' }, isKeyed: false });
    expect((await submit()).task_id).not.toBe((await submit()).task_id);
  });
});

describe('a response with a secret', () => {
  const secrets = mutating.filter((route) => route.secret);

  it('is returned by the operations that create a credential', () => {
    expect(secrets.map((route) => route.name)).toEqual(['createEnrolmentToken', 'createApiKey']);
  });

  it.each(secrets.map((route) => [route.name, route] as const))('of %s is stored for its key only encrypted', async (operation, route) => {
    const key = randomUUID();
    const { body } = await send(route, await firstOf(world, operation), key);
    const secret = Object.values(body as object).find((value) => /^ma[ke]_.{40}/.test(String(value))) as string;

    const rows = await rowsOf(world.backend.ctx.sql);

    const forms = [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64').replace(/=+$/, '')];
    expect(rows.filter(({ row }) => row.includes(key))).toHaveLength(1);
    expect(rows.filter(({ row }) => forms.some((form) => row.includes(form)))).toEqual([]);
  });
});
