import type { Worker } from '../../../schema/worker.ts';
import type { Sql } from '../ports/sql.ts';
import { workerStatus } from './workers.sql.ts';

type Work = { ready: number; running: number; workers: Pick<Worker, 'worker_id' | 'slots' | 'status'>[] };

export const readWork = async (sql: Sql): Promise<Work> => {
  const [work] = await sql<[Work]>`
    select
      (select count(*)::int from queue_entries where not paused and (run_after is null or run_after <= clock_timestamp())) as ready,
      (select count(*)::int from attempts where ended_at is null) as running,
      (select coalesce(jsonb_agg(jsonb_build_object('worker_id', worker_id, 'slots', slots, 'status', ${workerStatus(sql)})), '[]')
        from workers where mode = 'active' and deleted_at is null) as workers`;
  return work;
};
