import { describe, expect, it } from 'vitest';
import { backendForTest } from '../support/backend.ts';

describe('code of the previous release', () => {
  it('still writes outbox rows and reads what its transaction has written', async () => {
    const { sql } = (await backendForTest()).ctx;

    const written = await sql.begin(async (tx) => {
      await tx`
        select leave_in_outbox(organization_id, 'ready', '{"subtask_ids": []}', clock_timestamp() + interval '1 minute')
        from organizations`;
      const [row] = await tx<[{ left: object[] }]>`select left_in_outbox() as left`;
      return row.left;
    });

    const [row] = await sql<[{ outbox_id: number; seconds: number }]>`
      select outbox_id, extract(epoch from available_at - created_at)::float8 as seconds from outbox where topic = 'ready'`;
    expect(written).toMatchObject([{ outbox_id: row.outbox_id, topic: 'ready', delay_ms: expect.closeTo(60_000, -3) }]);
    expect(row.seconds).toBeCloseTo(70, 0);
  });

  it('still checks a fence and records a sweep', async () => {
    const { sql } = (await backendForTest()).ctx;

    const [row] = await sql<[{ code: string; may: boolean }]>`
      select judge_fence(organization_id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, null, null) as code,
        note_sweep(60000, 60000) as may
      from organizations`;

    expect(row).toEqual({ code: 'worker_revoked', may: true });
  });
});
