import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Counts } from '../../deploy/counts.ts';
import { followTopic } from '../conformance/support/socket.ts';
import { targetForFile } from '../conformance/support/target.ts';
import { enrolByHand } from '../conformance/support/workers.ts';
import { until } from '../support/processes.ts';

const QUIET_MS = 3_000;
const counts = async () => (await (await fetch(process.env.DEPLOYED_COUNTS ?? '')).json()) as Counts;

/** When nothing was asked for a while: what queues carry on has been done, too. */
const quiet = async (): Promise<Counts> => {
  let last = await counts();
  let since = performance.now();
  return until('the deployment to be quiet', async () => {
    const now = await counts();
    if (JSON.stringify(now) !== JSON.stringify(last)) since = performance.now();
    last = now;
    return performance.now() - since > QUIET_MS && now;
  });
};

/** What one operation costs, with all that follows from it. */
const cost = async (work: () => Promise<unknown>): Promise<Counts> => {
  const before = await quiet();
  await work();
  const after = await quiet();
  const names = Object.keys(after) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Counts;
};

describe('on the deployed stack', { timeout: 300_000 }, () => {
  const { owner } = targetForFile();

  it('a claim, a heartbeat, a completion and its push ask Postgres and Redis a bounded number of times', async () => {
    const { client } = owner();
    const worker = await enrolByHand(owner());
    const params = { worker_id: worker.worker_id };
    const steps = Array.from({ length: 3 }, (_, at) => ({ key: `s${at}`, goal: `${at}` }));
    const { task_id } = await client.submitTask({ body: { goal: 'counted', subtasks: steps } });
    const claim = () => worker.claim(randomUUID(), ['scripted']);
    const claimOne = () => until('a claim', async () => (await claim())[0]);
    await worker.complete(await claimOne());
    const held = await claimOne();
    const leases = [{ subtask_id: held.subtask_id, ...worker.fence(held) }];

    let last = held;
    const costs = {
      heartbeat: await cost(() => worker.client.heartbeat({ params, body: { leases } })),
      'idle heartbeat': await cost(() => worker.client.heartbeat({ params, body: {} })),
      completion: await cost(() => worker.complete(held)),
      claim: await cost(async () => (last = await claimOne())),
      'empty claim': await cost(claim),
    };
    await followTopic(() => client.createTicket(), `task:${task_id}`, 0);
    const pushed = await cost(() => worker.complete(last));

    console.table({ ...costs, 'completion that is followed': pushed });
    expect(costs.heartbeat.postgres_round_trips).toBeLessThanOrEqual(3);
    expect(costs['idle heartbeat'].postgres_round_trips).toBe(0);
    expect(costs['empty claim'].postgres_round_trips).toBeLessThanOrEqual(1);
    for (const it of [...Object.values(costs), pushed]) {
      expect(it.postgres_round_trips).toBeLessThanOrEqual(6);
      expect(it.redis_commands).toBeLessThanOrEqual(30);
    }
  });
});
