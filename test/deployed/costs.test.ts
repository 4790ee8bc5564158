import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Counts } from '../../deploy/counts.ts';
import type { Claimed } from '../../schema/attempt.ts';
import { followTopic } from '../conformance/support/socket.ts';
import { targetForFile } from '../conformance/support/target.ts';
import { enrolByHand } from '../conformance/support/workers.ts';
import { until } from '../support/processes.ts';

const QUIET_MS = 3_000;
const counts = async () => (await (await fetch(process.env.DEPLOYED_COUNTS ?? '')).json()) as Counts;

/** Waits until there were no requests for a while, so that the queues are also idle. */
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

/** The requests caused by one operation, including its consequences and those of the clock at the same time. */
const costOf = async (work: () => Promise<unknown>): Promise<Counts> => {
  const before = await quiet();
  await work();
  const after = await quiet();
  const names = Object.keys(after) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Counts;
};

const TRIES = 5;

/** The same without the clock, whose work every ten seconds does not fall into every measurement. */
const leastCost = async (most: Counts, prepare: () => Promise<() => Promise<unknown>>): Promise<Counts> => {
  const tried: Counts[] = [];
  const isFine = (it: Counts) => (Object.keys(most) as (keyof Counts)[]).every((name) => it[name] <= most[name]);
  while (tried.length < TRIES && !tried.some(isFine)) tried.push(await costOf(await prepare()));
  return tried.find(isFine) ?? expect.fail(`never within ${JSON.stringify(most)}: ${JSON.stringify(tried)}`);
};

const most = (postgres_round_trips: number, redis_requests: number, redis_commands: number): Counts => ({
  postgres_round_trips,
  redis_requests,
  redis_commands,
});

describe('on the deployed stack', { timeout: 300_000 }, () => {
  const { owner } = targetForFile();

  it('a claim, a heartbeat, a completion and its push send Postgres and Redis a bounded number of requests', async () => {
    const { client } = owner();
    const worker = await enrolByHand(owner());
    const params = { worker_id: worker.worker_id };
    const steps = Array.from({ length: 4 * TRIES }, (_, at) => ({ key: `s${at}`, goal: `${at}` }));
    const { task_id } = await client.submitTask({ body: { goal: 'counted', subtasks: steps } });
    const claim = () => worker.claim(randomUUID(), ['scripted']);
    const claimOne = () => until('a claim', async () => (await claim())[0]);
    const beat = (held: readonly Claimed[]) => async () => () =>
      worker.client.heartbeat({ params, body: { leases: held.map((it) => ({ subtask_id: it.subtask_id, ...worker.fence(it) })) } });
    const completeOne = async () => {
      const held = await claimOne();
      return () => worker.complete(held);
    };
    await (await completeOne())();
    const held = await claimOne();

    const costs = {
      heartbeat: await leastCost(most(1, 1, 6), beat([held])),
      'idle heartbeat': await leastCost(most(0, 1, 6), beat([])),
      completion: await leastCost(most(4, 4, 20), completeOne),
      claim: await leastCost(most(4, 4, 20), async () => claimOne),
    };
    await followTopic(() => client.createTicket(), `task:${task_id}`, 0);
    const pushed = await leastCost(most(4, 4, 20), completeOne);
    for (let [it] = await claim(); it !== undefined; [it] = await claim()) await worker.complete(it);
    const empty = await leastCost(most(1, 1, 2), async () => claim);
    console.table({ ...costs, 'completion that is followed': pushed, 'empty claim': empty });
  });
});
