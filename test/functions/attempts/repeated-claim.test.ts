import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reapAttempts } from '../../../functions/domain/maintenance/maintenance.sql.ts';
import type { Sql } from '../../../functions/domain/ports/sql.ts';
import { completeAndClaim } from '../../../functions/domain/attempts/attempts.sql.ts';
import { openPool } from '../../../functions/platform/pool.ts';
import { type Backend, backendForTest } from '../../support/backend.ts';
import { until } from '../../support/processes.ts';
import { enrol } from '../../support/worker.ts';

/** A worker that claimed under an id and did not get the answer. */
const lostAnswer = async () => {
  const backend = await backendForTest();
  const worker = await enrol(backend);
  const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
  const request = randomUUID();
  const { body } = await worker.claimReply(request);
  return { backend, worker, task_id, request, first: body.claimed };
};

const blocked = async (sql: Sql) =>
  (await sql`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`).length;

/** Repeats the claim while another, still open transaction ends the attempt; the claim must be answered before that transaction ends. */
const during = async (backend: Backend, end: (sql: Sql) => Promise<unknown>, again: () => Promise<{ status: number; body: unknown }>) => {
  const other = openPool(backend.url);
  onTestFinished(() => other.end());
  let answered = false;
  let reply: ReturnType<typeof again> | undefined;
  await other.begin(async (sql) => {
    await end(sql);
    reply = again();
    reply.then(
      () => (answered = true),
      () => (answered = true),
    );
    await until('the claim to be answered, or to wait', async () => answered || (await blocked(backend.ctx.sql)) > 0, 15_000);
    expect(answered).toBe(true);
  });
  return reply;
};

describe('a claim that is repeated because its answer was lost', () => {
  it('is answered with the same attempts and renewed leases', async () => {
    const { backend, worker, request, first } = await lostAnswer();
    await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() + interval '1 second'`;

    const { status, body } = await worker.claimReply(request);

    expect(status).toBe(200);
    expect(body.claimed).toEqual(first);
    const [{ fresh }] = await backend.ctx.sql<[{ fresh: boolean }]>`
      select bool_and(lease_expires_at > clock_timestamp() + interval '50 seconds') as fresh from attempts`;
    expect(fresh).toBe(true);
  });

  it('is answered with the subtasks that were claimed together with a completion', async () => {
    const { backend, worker, first } = await lostAnswer();
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'next' } });
    const claim = { claim_request_id: randomUUID(), limit: 1, start: true };
    const completions = first.map((it) => ({ subtask_id: it.subtask_id, ...worker.fence(it), result: null }));
    const { body } = await worker.as.completeSubtasks({ params: { worker_id: worker.worker_id }, body: { completions, claim } });

    const again = await worker.claimReply(claim.claim_request_id);

    expect(body.claim?.claimed).toMatchObject([{ task_id }]);
    expect(again.body.claimed).toEqual(body.claim?.claimed);
  });

  it('is not answered with subtasks of another claim of the worker', async () => {
    const { backend, worker, request, first } = await lostAnswer();
    await backend.admin.ok.submitTask({ body: { goal: 'of another claim' } });
    const other = await worker.claim();

    expect(other).toHaveLength(1);
    expect((await worker.claimReply(request, 10)).body.claimed).toEqual(first);
  });

  it('gets nothing while the reaper ends the attempt, and does not wait for it', async () => {
    const { backend, worker, request } = await lostAnswer();
    await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second'`;

    const reply = await during(
      backend,
      (sql) => reapAttempts(sql),
      () => worker.claimReply(request),
    );

    expect(reply).toMatchObject({ status: 200, body: { claimed: [], empty_reason: 'nothing_ready' } });
  });

  it('never gets a subtask that another worker has claimed since', async () => {
    const { backend, worker, request } = await lostAnswer();
    const another = await enrol(backend);
    const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
    await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second'`;

    const reply = await during(
      backend,
      async (sql) => {
        await reapAttempts(sql);
        const claim = { claim_request_id: randomUUID(), limit: 1, start: true, window: null };
        await completeAndClaim(
          sql,
          [{ ctx: { sql }, worker: { organization_id, worker_id: another.worker_id }, completions: [], claim }],
          60_000,
        );
      },
      () => worker.claimReply(request),
    );

    expect(reply).toMatchObject({ status: 200, body: { claimed: [] } });
  });

  it('gets nothing while its task is being cancelled', async () => {
    const { backend, worker, task_id, request } = await lostAnswer();

    const reply = await during(
      backend,
      (sql) => sql`select cancel_subtasks(${task_id}, 'x')`,
      () => worker.claimReply(request),
    );

    expect(reply).toMatchObject({ status: 200, body: { claimed: [] } });
  });
});
