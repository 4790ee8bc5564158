import type { Sql } from '../sql.ts';

/** What there is to do, done or waiting for a worker, and how much the workers that are there can do at once. */
export type Load = { ready: number; running: number; slots: number };

export const readLoad = async (sql: Sql): Promise<Load> => {
  const [load] = await sql<[Load]>`
    select
      (select count(*)::int from queue_entries where not paused and (run_after is null or run_after <= clock_timestamp())) as ready,
      (select count(*)::int from attempts where ended_at is null) as running,
      (select coalesce(sum(slots), 0)::int from workers where status <> 'offline' and mode = 'active' and deleted_at is null) as slots`;
  return load;
};
