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
/** Each request has an id of its own. */
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

/** The same request but for one thing that matters: a field, or the object that it is about. */
const altered = (route: Route, sample: Sample): Sample =>
  ALTERED[route.name]
    ? { ...sample, body: { ...(sample.body as object), ...ALTERED[route.name] } }
    : { ...sample, params: { [Object.keys(sample.params ?? {})[0] as string]: randomUUID() } };

/** How many rows each table gains by some work; none where it gains none. */
const growth = async (work: () => Promise<unknown>) => {
  const before = await countRows(world.backend.ctx.sql);
  await work();
  const after = await countRows(world.backend.ctx.sql);
  return Object.entries(after).flatMap(([table, count]) => (count === before[table] ? [] : [`${table} ${count - (before[table] ?? 0)}`]));
};

describe('an Idempotency-Key', () => {
  it('is taken by every operation of callers that changes something, and by no other', () => {
    expect(allRoutes.filter((route) => route.idempotent).map((route) => route.name)).toEqual(mutating.map((route) => route.name));
  });

  it.each(named)('makes %s, repeated, answer the same without a second effect', async (operation, route) => {
    const sample = await firstOf(world, operation);
    const key = randomUUID();

    const first = await send(route, sample, key);
    const before = await contents();
    const again = await send(route, sample, key);

    expect(first.status).toBe(route.status);
    expect(shown(again)).toEqual(shown(first));
    expect(await contents()).toEqual(before);
  });

  it.each(named)('makes %s, sent four times at once, have the effect of one', async (operation, route) => {
    await send(route, await firstOf(world, operation), randomUUID()); // the first makes what later ones share, such as a queue's clock
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

  it.each(named)('is refused by %s for another request, and changes nothing', async (operation, route) => {
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

  it('is the same for a body whose fields stand in another order or at their defaults', async () => {
    const headers = { 'idempotency-key': 'order' };
    const first = await world.admin.submitTask({ body: { goal: 'g', priority: 5, metadata: { a: 1, b: 2 } }, headers });
    const again = await world.admin.submitTask({ body: { metadata: { b: 2, a: 1 }, goal: 'g' }, headers });

    expect(again.body).toEqual(first.body);
  });

  it("is each caller's own", async () => {
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

  it("is each caller's own for an operation whose answer is stored by its transaction", async () => {
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

  it('keeps no refusal: what was refused may be repeated when it has become possible', async () => {
    const { task_id } = await world.task();
    const retry = () => world.admin.retryTask({ params: { task_id }, headers: { 'idempotency-key': 'later' } });

    expect(codeOf(await retry())).toEqual([409, 'task_not_ended']);
    await world.admin.ok.cancelTask({ params: { task_id } });
    expect(codeOf(await retry())).toEqual([200, undefined]);
  });

  it('left out makes each call one of its own', async () => {
    const submit = () => world.admin.ok.submitTask({ body: { goal: 'twice' }, isKeyed: false });
    expect((await submit()).task_id).not.toBe((await submit()).task_id);
  });
});

describe('an answer with a secret', () => {
  const secrets = mutating.filter((route) => route.secret);

  it('is that of the operations that make a credential', () => {
    expect(secrets.map((route) => route.name)).toEqual(['createEnrolmentToken', 'createApiKey']);
  });

  it.each(secrets.map((route) => [route.name, route] as const))('of %s is kept for its key only sealed', async (operation, route) => {
    const key = randomUUID();
    const { body } = await send(route, await firstOf(world, operation), key);
    const secret = Object.values(body as object).find((value) => /^ma[ke]_.{40}/.test(String(value))) as string;

    const rows = await rowsOf(world.backend.ctx.sql);

    const forms = [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64').replace(/=+$/, '')];
    expect(rows.filter(({ row }) => row.includes(key))).toHaveLength(1);
    expect(rows.filter(({ row }) => forms.some((form) => row.includes(form)))).toEqual([]);
  });
});
