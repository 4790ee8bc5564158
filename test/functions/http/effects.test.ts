import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRoutes } from '../../../schema/routes.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { createObservedWorld } from './support/effects.ts';
import { requestOf, variantsOf } from './support/samples.ts';

let world: Awaited<ReturnType<typeof createObservedWorld>>;
beforeAll(async () => {
  world = await createObservedWorld();
});
afterAll(() => world.close());

const variants = allRoutes
  .filter((route) => route.idempotent)
  .flatMap((route) => variantsOf(route.name).map((it) => [`${route.name} (${it.variant})`, route, it] as const));

describe.skipIf(NO_REDIS)('a request that changes something', () => {
  it.each(variants)(
    '%s has the same effects on Redis, queues and sockets with and without an Idempotency-Key',
    async (_, route, variant) => {
      const keyed = await world.effectsOf(route, variant, randomUUID());
      const unkeyed = await world.effectsOf(route, variant, null);

      expect([keyed.status, unkeyed.status]).toEqual([route.status, route.status]);
      expect(keyed.effects).toEqual(unkeyed.effects);
    },
  );

  it.each(variants)('%s calls neither Redis nor a queue while its transaction is open', async (_, route, variant) => {
    const keyed = await world.effectsOf(route, variant, randomUUID());
    const unkeyed = await world.effectsOf(route, variant, null);

    expect({ keyed: keyed.early, unkeyed: unkeyed.early }).toEqual({ keyed: [], unkeyed: [] });
  });

  it.each(['with', 'without'])('makes Redis forget a worker that is removed, %s an Idempotency-Key', async (mode) => {
    const { hints, sql } = world.backend.ctx;
    const [{ organization_id }] = await sql<[{ organization_id: string }]>`select organization_id from organizations`;
    const { worker_id, heartbeat } = await world.worker();
    await heartbeat();
    const headers: Record<string, string> = mode === 'with' ? { 'idempotency-key': randomUUID() } : {};
    const route = allRoutes.find(({ name }) => name === 'deleteWorker');
    if (route === undefined) throw new Error('there is no such operation');

    const { status } = await world.backend.send(requestOf(route, { token: world.key, params: { worker_id }, headers }));

    expect(status).toBe(200);
    expect(await hints.presence([worker_id])).toEqual([null]);
    expect((await hints.online(organization_id)).map((it) => it.worker_id)).not.toContain(worker_id);
  });
});
