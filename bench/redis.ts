import { randomUUID } from 'node:crypto';
import * as attempts from '../functions/domain/attempts/attempts.ts';
import { heartbeat } from '../functions/domain/attempts/heartbeat.ts';
import { issue } from '../functions/domain/live/tickets.ts';
import * as tasks from '../functions/domain/tasks/tasks.ts';
import * as workers from '../functions/domain/workers/workers.ts';
import { createContext } from '../functions/platform/context.ts';
import { createRedis } from '../functions/platform/redis.ts';
import { createMemoryRedis } from '../local/redis/memory.ts';
import type { Env } from '../schema/env.ts';
import { createOwner, createWorker, fanOutAndIn } from './setup.ts';

/** Round trips to Redis of each request that uses it. */
export const countRedisTrips = async (env: Env): Promise<Record<string, number>> => {
  const redis = createRedis({ requester: createMemoryRedis() });
  const ctx = createContext(env, { redis, push: { post: async () => 'gone', close: async () => {} } });
  try {
    const { caller } = await createOwner(ctx);
    const { principal } = await createWorker(ctx, caller);
    const { worker_id } = principal;
    const counts: Record<string, number> = {};
    const count = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const before = redis.counted().round_trips;
      const answer = await work();
      counts[name] = redis.counted().round_trips - before;
      return answer;
    };
    const claim = () => ({ claim_request_id: randomUUID(), limit: 1, start: true, tools: ['scripted'] });
    const { task_id } = await count('submit', () => tasks.submit(ctx, caller, fanOutAndIn(2)));
    await count('get a task', () => tasks.get(ctx, caller, task_id));
    await count('get a worker', () => workers.get(ctx, caller, worker_id));
    await count('list workers', () => workers.list(ctx, caller, { limit: 50 }));
    await count('idle heartbeat', () => heartbeat(ctx, principal, { leases: [] }));
    const { claimed } = await count('claim', () => attempts.claim(ctx, principal, claim()));
    const leases = claimed.map(({ subtask_id, lease_token, attempt }) => ({ subtask_id, lease_token, attempt }));
    await count('busy heartbeat', () => heartbeat(ctx, principal, { leases }));
    const completions = leases.map((lease) => ({ ...lease, result: 1 }));
    await count('complete and claim', () => attempts.completeMany(ctx, principal, { completions, claim: claim() }));
    await count('ticket of a socket', () =>
      issue(ctx, { kind: 'caller', organization_id: caller.organization_id, id: 'x', owner_id: null }),
    );
    return counts;
  } finally {
    await ctx.close();
  }
};
