import { describe, expect, it } from 'vitest';
import { consume } from '../../functions/queue/consume.ts';
import { sweep } from '../../functions/schedule/sweep.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { enrol } from '../support/worker.ts';

/** Durations are long, so that the time that a test takes makes no difference. */
const holding = async () => {
  const backend = await backendForTest({ env: { LEASE_MS: '600000', OUTAGE_MS: '150000' } });
  const worker = await enrol(backend);
  await sweep(backend.ctx);
  await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: [{ key: 'a', goal: 'x', timeout_seconds: 700 }] } });
  const [it] = await worker.claim();
  if (it === undefined) throw new Error('nothing was claimed');
  return { backend, worker, it };
};

/** Simulates that `seconds` pass: moves all stored times back. */
const pass = async ({ ctx: { sql } }: Backend, seconds: number) => {
  const time = sql`make_interval(secs => ${seconds})`;
  await sql`update attempts set claimed_at = claimed_at - ${time}, lease_expires_at = lease_expires_at - ${time}, deadline_at = deadline_at - ${time}`;
  await sql`update sweeps set swept_at = swept_at - ${time}, waits_until = waits_until - ${time}`;
};

describe('after the platform was unavailable for longer than a lease', () => {
  it('no attempt is ended that could not report meanwhile, and results from that time are recorded once', async () => {
    const { backend, worker, it: held } = await holding();
    await pass(backend, 6_000);

    expect(await sweep(backend.ctx)).toMatchObject({ reaped: 0 });
    expect(await worker.complete(held, 'made in the dark')).toMatchObject({ status: 200, body: { status: 'completed' } });

    expect(await worker.complete(held, 'made in the dark')).toMatchObject({ status: 200 });
    expect(await worker.complete(held, 'another')).toMatchObject({ status: 409 });
  });

  it('no attempt is ended if there was no sweep before', async () => {
    const { backend } = await holding();
    await pass(backend, 6_000);
    await backend.ctx.sql`update sweeps set swept_at = null`;

    expect(await sweep(backend.ctx)).toMatchObject({ reaped: 0 });
  });

  it('no attempt is ended by overdue messages of the scheduler until the grace period is over', async () => {
    const { backend, it: held } = await holding();
    const overdue = { messageId: 'm', body: JSON.stringify({ topic: 'overdue' }), attributes: { ApproximateReceiveCount: '1' } };
    const look = () => consume(backend.ctx, 'subtasks')({ Records: [overdue] } as never);
    const open = async () =>
      (await backend.ctx.sql`select from attempts where subtask_id = ${held.subtask_id} and ended_at is null`).length;
    await pass(backend, 6_000);

    await look();
    await sweep(backend.ctx);
    await look();
    expect(await open()).toBe(1);
    for (let seconds = 0; seconds <= 600; seconds += 100) {
      await pass(backend, 100);
      await look();
    }

    expect(await open()).toBe(0);
  });

  it('a clock that was set back extends no lease and starts no grace period', async () => {
    const { backend, it: held } = await holding();
    await pass(backend, 6_000);
    await sweep(backend.ctx);
    await pass(backend, -72_000);

    await sweep(backend.ctx);
    await pass(backend, 610);

    expect(await sweep(backend.ctx)).toMatchObject({ reaped: 1 });
    expect(held.attempt).toBe(1);
  });

  it('workers that do not return within a lease lose theirs, and their later results are refused', async () => {
    const { backend, worker, it: held } = await holding();
    await sweep(backend.ctx);
    await pass(backend, 6_000);
    await sweep(backend.ctx);

    await pass(backend, 100);
    const during = await sweep(backend.ctx);
    await pass(backend, 100);
    await sweep(backend.ctx);
    await pass(backend, 410);
    const after = await sweep(backend.ctx);

    expect([during.reaped, after.reaped]).toEqual([0, 1]);
    expect(await worker.complete(held)).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
  });

  it('at least one sweep checks the leases between two grace periods, however late each sweep comes', async () => {
    const { backend } = await holding();
    await sweep(backend.ctx);
    await pass(backend, 6_000);
    const first = await sweep(backend.ctx);
    await pass(backend, 6_000);

    expect([first.reaped, (await sweep(backend.ctx)).reaped]).toEqual([0, 1]);
  });
});

describe('without an outage', () => {
  it('an expired lease is revoked at the next sweep', async () => {
    const { backend } = await holding();
    for (let passed = 0; passed < 500; passed += 100) {
      await pass(backend, 100);
      expect((await sweep(backend.ctx)).reaped).toBe(0);
    }

    await pass(backend, 120);

    expect((await sweep(backend.ctx)).reaped).toBe(1);
  });

  it('there is no grace period for a worker that claimed only after a long idle time', async () => {
    const { backend } = await holding();
    await backend.ctx.sql`update sweeps set swept_at = swept_at - interval '1 hour'`;
    await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second'`;

    expect((await sweep(backend.ctx)).reaped).toBe(1);
  });
});
