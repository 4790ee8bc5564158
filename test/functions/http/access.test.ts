import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isCaller, type Route } from '../../../schema/route.ts';
import { allRoutes } from '../../../schema/routes.ts';
import type { Problem } from '../../../schema/errors.ts';
import { fingerprint, rowsOf } from './support/contents.ts';
import { CREDENTIALS, foreignIds } from './support/credentials.ts';
import { undocumented } from './support/document.ts';
import { firstOf, isServed, requestOf, type Sample } from './support/samples.ts';
import { abroad, createWorld, type World } from './support/world.ts';

const closed = allRoutes.filter((route) => route.access !== 'anyone');
const idsOf = (route: Route) => [...route.path.matchAll(/\{(\w+_id)\}/g)].map(([, name]) => name as string);
const naming = closed.filter((route) => idsOf(route).length > 0);
const notFound = (name: string) => [404, `${name.replace(/_id$/, '')}_not_found`] as const;

let world: World;
let foreign: Record<string, string>;
let samples: Record<string, Sample>;

beforeAll(async () => {
  world = await createWorld();
  foreign = await foreignIds(world);
  samples = await byName(closed, (route) => firstOf(world, route.name));
});
afterAll(() => world.close());

/** The status and code of a documented response, or else what is wrong with it. */
const answerTo = async (route: Route, sample: Sample, authorization?: string) => {
  const { token: _, headers, ...rest } = requestOf(route, sample);
  const reply = await world.backend.send({ ...rest, headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) } });
  const fault = reply.status >= 400 ? undocumented(route, reply) : null;
  return fault === null ? [reply.status, (reply.body as Problem).code] : [fault];
};

/** By operation, so that a difference names it. */
const byName = async <T>(routes: readonly Route[], of: (route: Route) => T | Promise<T>): Promise<Record<string, T>> => {
  const found: Record<string, T> = {};
  for (const route of routes) found[route.name] = await of(route);
  return found;
};

describe('an operation', () => {
  it('is open for health and documentation only; enrolment requires its token, everything else a credential', async () => {
    const open = allRoutes.filter((route) => route.access === 'anyone');

    expect(open.map((route) => route.name).toSorted()).toEqual(
      ['getDatabaseHealth', 'getDetailedHealth', 'getDocs', 'getHealth', 'getOpenapi', 'getRedisHealth', 'getRoot'].toSorted(),
    );
    expect(allRoutes.filter((route) => route.access === 'enrolment').map((route) => route.name)).toEqual(['registerWorker']);
    expect(await byName(open, (route) => answerTo(route, {}))).toEqual(await byName(open, () => [200, undefined]));
  });

  it.for(closed.map((route) => [route.name, route] as const))('%s takes the right credential', async ([, route], { skip }) => {
    skip(!isServed(route.name), 'there is no push without Redis');
    const sample = await firstOf(world, route.name);
    expect(await answerTo(route, sample, `Bearer ${sample.token}`)).toEqual([route.status, undefined]);
  });

  it.each(CREDENTIALS.map((credential) => [credential.what, credential]))(
    'given %s refuses, and changes nothing',
    async (_, credential) => {
      const refusing = closed.filter((route) => credential.answer(route) !== null);
      const headers = await byName(refusing, (route) => credential.header(world, route, samples[route.name] as Sample));
      const before = await fingerprint(world.backend.ctx.sql);

      const answers = await byName(refusing, (route) => answerTo(route, samples[route.name] as Sample, headers[route.name]));

      expect(answers).toEqual(await byName(refusing, (route) => credential.answer(route)));
      expect(await fingerprint(world.backend.ctx.sql)).toEqual(before);
    },
  );

  it('is checked with at least 400 pairs of operation and credential', () => {
    const pairs = CREDENTIALS.flatMap((credential) => closed.filter((route) => credential.answer(route) !== null));
    expect(pairs.length).toBeGreaterThanOrEqual(400);
  });
});

describe('an id', () => {
  const named = naming.flatMap((route) => idsOf(route).map((name) => [route.name, name, route] as const));

  it.each(named)('in %s, %s, of another organization does not exist', async (operation, name, route) => {
    const sample = await firstOf(world, operation);
    const authorization = `Bearer ${sample.token}`;
    const at = (id: string | undefined) => ({ ...sample, params: { ...sample.params, [name]: id ?? '' } });

    expect(await answerTo(route, at(foreign[name]), authorization)).toEqual(notFound(name));
    expect(await answerTo(route, at(randomUUID()), authorization)).toEqual(notFound(name));
  });

  it('in the body, of another organization, does not exist', async () => {
    const { worker, params, fence } = await world.held();
    const subtask_id = foreign.subtask_id as string;
    const self = { worker_id: worker.worker_id };

    const artifact = await worker.as.completeSubtask({ params, body: { ...fence, result_artifact_id: foreign.artifact_id } });
    const many = await worker.as.ok.completeSubtasks({ params: self, body: { completions: [{ subtask_id, ...fence, result: 1 }] } });
    const beat = await worker.as.ok.heartbeat({ params: self, body: { leases: [{ subtask_id, ...fence }] } });

    expect([artifact.status, artifact.body]).toMatchObject([404, { code: 'artifact_not_found' }]);
    expect(many.results).toMatchObject([{ ok: false, code: 'subtask_not_found' }]);
    expect(beat.leases).toMatchObject([{ state: 'lost', directive: null }]);
  });
});

describe('another worker of the organization', () => {
  it.each(naming.filter((route) => route.access === 'worker').map((route) => [route.name, route]))('may not %s', async (name, route) => {
    const sample = await firstOf(world, name);
    const { credential } = await world.worker();

    const code = 'worker_id' in (sample.params ?? {}) ? [404, 'worker_not_found'] : [409, 'lease_lost'];
    expect(await answerTo(route, sample, `Bearer ${credential}`)).toEqual(code);
  });
});

describe('another organization', () => {
  it.each(naming.filter((route) => isCaller(route.access)).map((route) => [route.name, route]))(
    'finds nothing by %s',
    async (name, route) => {
      const sample = await firstOf(world, name);
      const { key } = await abroad(world);

      expect(await answerTo(route, sample, `Bearer ${key}`)).toEqual(notFound(idsOf(route)[0] as string));
    },
  );

  it.each(naming.filter((route) => route.access === 'worker').map((route) => [route.name, route]))(
    'has workers that find nothing by %s',
    async (name, route) => {
      const sample = await firstOf(world, name);
      const { credential } = await (await abroad(world)).worker();

      expect(await answerTo(route, sample, `Bearer ${credential}`)).toEqual(notFound(idsOf(route)[0] as string));
    },
  );

  it('lists only its own objects', async () => {
    await world.held();
    const there = (await abroad(world)).admin.ok;

    expect((await there.listTasks({ query: { q: 'held' } })).items).toEqual([]);
    expect((await there.listTasks()).items).toEqual([]);
    expect((await there.listWorkers()).items).toEqual([]);
    expect((await there.listApiKeys()).items).toHaveLength(1);
  });

  it('has workers that claim none of our subtasks, whatever tool they offer', async () => {
    const { tool } = await world.worker();
    await world.admin.ok.submitTask({ body: { goal: 'ours', tool } });
    const there = (await abroad(world)).admin;
    const { enrolment_token } = await there.ok.createEnrolmentToken({ body: { tools: [tool] } });
    const { worker, credential } = await world.backend
      .as(enrolment_token)
      .ok.registerWorker({ body: { name: 'w', machine_name: 'm', tools: [tool] } });

    const answer = await world.backend
      .as(credential)
      .ok.claimSubtasks({ params: { worker_id: worker.worker_id }, body: { claim_request_id: randomUUID() } });

    expect(answer).toMatchObject({ claimed: [], empty_reason: 'nothing_ready' });
  });
});

describe('a key', () => {
  it('creates no key with more scopes than its own', async () => {
    const { key } = await world.backend.newKey({ scopes: ['keys:write'] });
    const { status, body } = await world.backend.as(key).createApiKey({ body: { name: 'more', scopes: ['keys:write', 'tasks:write'] } });

    expect([status, body]).toMatchObject([
      403,
      { code: 'forbidden', detail: 'An API key can only create keys with scopes that it has; this key does not have tasks:write' },
    ]);
  });

  it('is not stored in the database in plain text', async () => {
    const { api_key } = await world.apiKey();
    const hex = Buffer.from(api_key).toString('hex');

    const rows = await rowsOf(world.backend.ctx.sql);

    expect(rows.filter(({ row }) => row.includes(api_key) || row.includes(hex))).toEqual([]);
  });
});
