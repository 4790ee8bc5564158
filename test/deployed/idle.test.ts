import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Counts } from '../../deploy/counts.ts';
import { adminOf, targetForFile } from '../conformance/support/target.ts';
import { enrolByHand } from '../conformance/support/workers.ts';
import { until } from '../support/processes.ts';

/** The tick runs each minute, so at least once in this time. */
const MORE_THAN_A_MINUTE_MS = 70_000;
/** More often than a worker's heartbeat. */
const BEAT_MS = 3_000;
const counts = async () => (await (await fetch(process.env.DEPLOYED_COUNTS ?? '')).json()) as Counts;

describe('the deployed stack, idle', { timeout: 500_000 }, () => {
  const { target, owner } = targetForFile();

  const cancelWhatIsOpen = async () => {
    const admin = adminOf(target());
    for (const status of ['pending', 'running'] as const) {
      const { items } = await admin.listTasks({ query: { status, limit: 200 } });
      for (const { task_id } of items) await admin.cancelTask({ params: { task_id }, body: {} });
    }
  };

  it('sends Postgres no queries while the tick runs and a worker sends heartbeats and claims', async () => {
    const worker = await enrolByHand(owner());
    const params = { worker_id: worker.worker_id };
    await cancelWhatIsOpen();
    let before = await counts();
    let since = performance.now();

    const idle = await until(
      'more than a minute without a question to Postgres',
      async () => {
        await worker.client.heartbeat({ params, body: {} });
        expect(await worker.claim(randomUUID(), ['scripted'])).toEqual([]);
        const now = await counts();
        const isAsked = now.postgres_round_trips !== before.postgres_round_trips;
        if (isAsked) since = performance.now();
        if (isAsked) before = now;
        await pause(BEAT_MS);
        return performance.now() - since > MORE_THAN_A_MINUTE_MS && now;
      },
      400_000,
    );

    expect(idle.redis_requests).toBeGreaterThan(before.redis_requests);
  });
});
