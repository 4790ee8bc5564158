import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import { ApiError, createClient } from '../../schema/client/client.ts';
import { Problem } from '../../schema/errors.ts';
import { allRoutes } from '../../schema/routes.ts';
import { behaves } from './support/behaviour.ts';
import { targetForFile } from './support/target.ts';
import { enrolByHand } from './support/workers.ts';

const UNKNOWN = '00000000-0000-7000-8000-000000000000';

/** The status and the error code of a refused call. */
const refused = async (call: Promise<unknown>): Promise<[number, string]> => {
  const error = await call.then(
    () => null,
    (it: unknown) => it,
  );
  if (!(error instanceof ApiError)) throw new Error(`expected a problem response, not ${error}`);
  return [error.status, error.code];
};

describe('the HTTP API', { timeout: 120_000 }, () => {
  const { owner } = targetForFile();
  const as = (token?: string) => createClient({ url: owner().url, token });
  const raw = (path: string, init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {}) =>
    fetch(`${owner().url}${path}`, { ...init, headers: { authorization: `Bearer ${owner().token}`, ...init.headers } });

  behaves('serves its health and its OpenAPI document without a credential, and describes every operation of the contracts', async () => {
    const health = await as().getHealth();
    const { paths } = (await as().getOpenapi()) as { paths: Record<string, object> };

    expect(health).toMatchObject({ status: 'healthy', services: { database: 'connected', redis: 'connected' } });
    const described = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((it) => `${it.toUpperCase()} ${path}`));
    expect(described.toSorted()).toEqual(allRoutes.map(({ method, path }) => `${method} ${path}`).toSorted());
  });

  behaves('requires a credential for every operation that is not public', async () => {
    const closed = allRoutes.filter(({ access }) => access !== 'anyone');
    const call = (method: string, path: string) => raw(path, { method, headers: { authorization: '' } });
    const answers: Response[] = [];
    for (const { method, path } of closed) answers.push(await call(method, path.replace(/\{\w+\}/g, UNKNOWN)));

    expect(closed.map(({ name }, at) => `${name} ${answers[at]?.status}`)).toEqual(closed.map(({ name }) => `${name} 401`));
    for (const answer of answers) expect(Problem.parse(await answer.json()).code).toBe('unauthenticated');
  });

  behaves('accepts a key within its scopes until it is revoked, and accepts no credential of another kind in its place', async () => {
    const { client } = owner();
    const reader = await client.createApiKey({ body: { name: 'reader', scopes: ['tasks:read'] } });
    const worker = await enrolByHand(owner());

    expect((await as(reader.api_key).listTasks()).items).toBeInstanceOf(Array);
    expect(await refused(as(reader.api_key).submitTask({ body: { goal: 'not mine' } }))).toEqual([403, 'forbidden']);
    expect(await refused(as('mak_unknown').listTasks())).toEqual([401, 'unauthenticated']);
    expect(await refused(worker.client.listTasks())).toEqual([403, 'forbidden']);
    await client.revokeApiKey({ params: { api_key_id: reader.api_key_id } });
    expect(await refused(as(reader.api_key).listTasks())).toEqual([401, 'unauthenticated']);
  });

  behaves('refuses the credential of a worker that was removed', async () => {
    const worker = await enrolByHand(owner());
    await owner().client.deleteWorker({ params: { worker_id: worker.worker_id } });

    expect(await refused(worker.claim())).toEqual([401, 'worker_revoked']);
  });

  behaves('answers an invalid request with a problem that locates the error', async () => {
    const json = { 'content-type': 'application/json' };
    const post = (body: string, headers: Record<string, string> = json) => raw('/api/v1/tasks', { method: 'POST', body, headers });
    const problems = await Promise.all([
      post('{"goal":'),
      post('{"goal":7}'),
      post('goal=7', { 'content-type': 'text/plain' }),
      post('{"goal":"g","subtasks":[{"key":"a","goal":"g","dependencies":["a"]}]}'),
      raw(`/api/v1/tasks/${UNKNOWN}`),
      raw('/nowhere'),
      raw('/api/v1/tasks', { method: 'PUT' }),
    ]);

    const read = await Promise.all(problems.map(async (it) => Problem.parse(await it.json())));
    expect(read.map(({ status, code }) => `${status} ${code}`)).toEqual([
      '400 invalid_json',
      '400 invalid_request',
      '415 unsupported_media_type',
      '422 invalid_dag',
      '404 task_not_found',
      '404 not_found',
      '405 method_not_allowed',
    ]);
    expect(problems.map(({ status }) => status)).toEqual(read.map(({ status }) => status));
    for (const it of problems) expect(it.headers.get('content-type')).toContain('application/problem+json');
    expect(read[1]?.errors[0]?.path).toBe('body.goal');
    expect(new Set(read.map(({ request_id }) => request_id)).size).toBe(read.length);
  });

  behaves('repeats its response for an Idempotency-Key, and refuses the key for another request', async () => {
    const { client } = owner();
    const idempotencyKey = randomUUID();
    const submit = (goal: string) => client.submitTask({ body: { goal } }, { idempotencyKey });

    const [first, second] = await Promise.all([submit('once'), submit('once')]);
    const third = await submit('once');

    expect([second, third]).toEqual([first, first]);
    expect(await refused(submit('another'))).toEqual([422, 'idempotency_key_reused']);
  });

  behaves('changes only the version that was read, and returns 304 for a known version', async () => {
    const { client } = owner();
    const { task_id, version } = await client.submitTask({ body: { goal: 'to be changed' } });
    const change = (priority: number) => client.updateTask({ params: { task_id }, body: { priority } }, { ifMatch: version });

    const changed = await change(7);

    expect(changed).toMatchObject({ priority: 7, version: version + 1 });
    expect(await refused(change(8))).toEqual([412, 'version_conflict']);
    const known = await raw(`/api/v1/tasks/${task_id}`, { headers: { 'if-none-match': `"${changed.version}"` } });
    expect(known.status).toBe(304);
  });

  behaves('splits a list into pages that together have every item once', async () => {
    const { client } = owner();
    const sent = await Promise.all(Array.from({ length: 5 }, (_, at) => client.submitTask({ body: { goal: `zebra ${at}` } })));
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.listTasks({ query: { q: 'zebra', limit: 2, ...(cursor ? { cursor } : {}) } });
      expect(page.items.length).toBeLessThanOrEqual(2);
      found.push(...page.items.map(({ task_id }) => task_id));
      cursor = page.next_cursor ?? undefined;
    } while (cursor);

    expect(found).toEqual(expect.arrayContaining(sent.map(({ task_id }) => task_id)));
    expect(new Set(found).size).toBe(found.length);
  });
});
