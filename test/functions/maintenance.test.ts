import { describe, expect, it } from 'vitest';
import { purge } from '../../functions/domain/maintenance/maintenance.ts';
import type { Sql } from '../../functions/domain/ports/sql.ts';
import { backendForTest } from '../support/backend.ts';
import { enrol } from '../support/worker.ts';

const countOf = async (sql: Sql, table: 'attempt_logs' | 'idempotency_keys') => {
  const [row] = await sql.unsafe<[{ count: number }]>(`select count(*)::int as count from ${table}`);
  return row.count;
};

describe('the purge', () => {
  it('removes all logs and idempotency keys that are past their retention, and nothing else', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { sql } = backend.ctx;
    await sql`truncate idempotency_keys`;
    await backend.admin.ok.submitTask({ body: { goal: 'x' }, headers: { 'idempotency-key': 'young' } });
    const [it] = await worker.claim();
    await sql`
      insert into attempt_logs (organization_id, subtask_id, attempt, chunk, stream, content, created_at)
      select organization_id, subtask_id, attempt, n, 'stdout', 'x',
        clock_timestamp() - case when n < 1200 then interval '31 days' else interval '29 days' end
      from attempts, generate_series(0, 1299) as n
      where subtask_id = ${it?.subtask_id ?? null}`;
    await sql`
      insert into idempotency_keys (organization_id, principal_id, key, operation, request_hash, created_at)
      select organization_id, principal_id, n::text, operation, request_hash, clock_timestamp() - interval '25 hours'
      from idempotency_keys, generate_series(1, 1000) as n`;

    expect(await purge(backend.ctx)).toEqual({ logs: 1_200, idempotency_keys: 1_000 });

    expect(await countOf(sql, 'attempt_logs')).toBe(100);
    expect(await countOf(sql, 'idempotency_keys')).toBe(1);
  });

  it('keeps an idempotency key for its full 24 hours', async () => {
    const backend = await backendForTest();
    const submit = () => backend.admin.ok.submitTask({ body: { goal: 'x' }, headers: { 'idempotency-key': 'k' } });
    const age = (minutes: number) =>
      backend.ctx.sql`update idempotency_keys set created_at = clock_timestamp() - make_interval(mins => ${minutes})`;
    const { task_id } = await submit();

    await age(24 * 60 - 10);
    expect((await purge(backend.ctx)).idempotency_keys).toBe(0);
    expect((await submit()).task_id).toBe(task_id);
    await age(24 * 60 + 10);
    expect((await purge(backend.ctx)).idempotency_keys).toBe(1);
    expect((await submit()).task_id).not.toBe(task_id);
  });
});
