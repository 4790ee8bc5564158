import type { Pool } from '../../functions/domain/ports/pool.ts';
import type { Sql } from '../../functions/domain/ports/sql.ts';

/** Each finished task is one subtask, then eight in parallel, then one, as in the benches. */
export const SUBTASKS_EACH = 10;

export type History = {
  tasks: number;
  /** Chunks of output that each attempt printed. */
  logsEach?: number;
};

/**
 * Stores finished tasks with everything that remains of them: subtasks, edges, attempts, events, logs, search documents and
 * idempotency keys, in the state that the platform itself would have produced. Attempts, queue entries and outbox rows are first
 * inserted in their active state and then ended or deleted, so that tables and indexes contain realistic dead rows. Requires at least
 * an organization and a worker. The newest task is one second old, each other one a second older.
 */
export const makeHistory = (sql: Pool, { tasks, logsEach = 1 }: History): Promise<void> =>
  sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`; // foreign keys hold by construction
    await tx`set local work_mem = '256MB'`;
    await describeTasks(tx, tasks);
    await insertTasks(tx);
    await insertSubtasks(tx);
    await insertAttempts(tx);
    await insertEvents(tx);
    await insertLogs(tx, logsEach);
    await insertDocuments(tx);
    await insertKeys(tx);
    await addDeadRows(tx);
    await tx`drop table made, made_subtasks`;
  });

/**
 * Search terms: every task has `report` and 整理, every second one `market`, one of a thousand `giraffe` and 季度报告; the older half has
 * `archive`, and of every four tasks one each has `north`, `east`, `south`, `west`.
 */
const describeTasks = async (tx: Sql, tasks: number) => {
  await tx`
    create temporary table made on commit drop as
    select gen_random_uuid() as task_id, o.organization_id, o.organization_id as owner_id, n,
      clock_timestamp() - make_interval(secs => n) as created_at,
      format('Write report number %s ', n)
        || case when n % 2 = 0 then 'on the market ' else '' end
        || case when n % 1000 = 1 then 'with giraffes 请翻译这份季度报告 ' else '整理会议记录 ' end
        || case when n > ${tasks}::int / 2 then 'for the archive ' else '' end
        || (array['north', 'east', 'south', 'west'])[n % 4 + 1] as goal
    from (select organization_id from organizations order by created_at limit 1) o
    cross join generate_series(1, ${tasks}::int) n`;
  await tx`
    create temporary table made_subtasks on commit drop as
    select gen_random_uuid() as subtask_id, gen_random_uuid() as lease_token, m.task_id, m.organization_id, m.owner_id, m.created_at, p as position,
      case p when 0 then 'first' when ${SUBTASKS_EACH - 1}::int then 'last' else 'm' || p end as key,
      w.ids[m.n % cardinality(w.ids) + 1] as worker_id
    from made m
    cross join generate_series(0, ${SUBTASKS_EACH - 1}::int) p
    cross join (select array_agg(worker_id order by worker_id) as ids from workers where deleted_at is null) w`;
  await tx`analyze made`;
  await tx`analyze made_subtasks`;
};

const insertTasks = (tx: Sql) => tx`
  insert into tasks (task_id, organization_id, owner_id, goal, status, subtask_count, edge_count, completed_count, ended_count, version,
    last_seq, created_at, started_at, ended_at, updated_at)
  select task_id, organization_id, owner_id, goal, 'completed', ${SUBTASKS_EACH}, ${2 * (SUBTASKS_EACH - 2)}, ${SUBTASKS_EACH}, ${SUBTASKS_EACH},
    ${2 * SUBTASKS_EACH + 1}, ${EVENTS.length}, created_at, created_at, created_at, created_at
  from made
  order by n desc`;

const insertSubtasks = async (tx: Sql) => {
  await tx`
    insert into subtasks (subtask_id, task_id, organization_id, owner_id, key, position, goal, tool, dependencies, status, attempt, attempts,
      retry, timeout_seconds, worker_id, result, result_bytes, created_at, started_at, ended_at)
    select subtask_id, task_id, organization_id, owner_id, key, position, 'Summarize chapter ' || position || ' 汇总数据', 'scripted',
      case key
        when 'first' then '[]'
        when 'last' then (select jsonb_agg('m' || p) from generate_series(1, ${SUBTASKS_EACH - 2}::int) p)
        else '["first"]'
      end,
      'completed', 1, 0, '{"max_attempts": 3, "max_infra_attempts": 10, "retry_on": [], "base_ms": 1000, "max_ms": 60000}', 3600, worker_id,
      '{"words": 3}', 12, created_at, created_at, created_at
    from made_subtasks
    order by created_at, position`;
  await tx`
    insert into subtask_edges (parent_id, child_id, organization_id)
    select p.subtask_id, c.subtask_id, c.organization_id
    from made_subtasks c
    join made_subtasks p on p.task_id = c.task_id and p.position <> c.position and (p.key = 'first' or c.key = 'last')
    where not (p.key = 'first' and c.key = 'last') and p.key <> 'last'`;
};

const insertAttempts = async (tx: Sql) => {
  await tx`
    insert into attempts (subtask_id, attempt, organization_id, task_id, worker_id, run, claim_request_id, status, lease_token,
      lease_expires_at, claimed_at, started_at, deadline_at)
    select subtask_id, 1, organization_id, task_id, worker_id, 1, gen_random_uuid(), 'running', lease_token,
      created_at + interval '1 minute', created_at, created_at, created_at + interval '1 hour'
    from made_subtasks
    order by created_at, position`;
  await tx`
    update attempts a
    set status = 'succeeded', ended_at = m.created_at, outcome_hash = md5(m.subtask_id::text)
    from made_subtasks m
    where a.subtask_id = m.subtask_id`;
};

const MIDDLE = Array.from({ length: SUBTASKS_EACH - 2 }, (_, n) => `m${n + 1}`);
const each = (type: string, keys: readonly (string | null)[]) => keys.map((key) => ({ type, key }));

/** The events of such a task in their order. */
const EVENTS: readonly { type: string; key: string | null }[] = [
  ...each('task.submitted', [null]),
  ...each('task.started', [null]),
  ...each('subtask.started', ['first']),
  ...each('subtask.completed', ['first']),
  ...each('subtask.ready', MIDDLE),
  ...each('subtask.started', MIDDLE),
  ...each('subtask.completed', MIDDLE),
  ...each('subtask.ready', ['last']),
  ...each('subtask.started', ['last']),
  ...each('subtask.completed', ['last']),
  ...each('task.completed', [null]),
];

const insertEvents = (tx: Sql) => tx`
  insert into activity_logs (task_id, seq, organization_id, type, level, message, run, subtask_id, attempt, worker_id, created_at)
  select m.task_id, e.seq, m.organization_id, e.type, 'info', coalesce('Subtask ' || e.key || ' ', 'The task ') || split_part(e.type, '.', 2), 1,
    s.subtask_id, case when s.subtask_id is not null then 1 end, s.worker_id, m.created_at
  from made m
  cross join rows from (jsonb_to_recordset(${JSON.stringify(EVENTS)}::jsonb) as (type text, key text)) with ordinality as e(type, key, seq)
  left join made_subtasks s on s.task_id = m.task_id and s.key = e.key
  order by m.n desc, e.seq`;

const insertLogs = (tx: Sql, logsEach: number) => tx`
  insert into attempt_logs (organization_id, subtask_id, attempt, chunk, stream, content, created_at)
  select organization_id, subtask_id, 1, c, 'stdout', 'line ' || c || ' of what the tool printed', created_at
  from made_subtasks
  cross join generate_series(0, ${logsEach - 1}::int) c
  order by created_at, position, c`;

/** The subtasks of all tasks have the same goals, so their terms are computed once. */
const insertDocuments = (tx: Sql) => tx`
  with shared as materialized (
    select search_document(organization_id, null, array_agg(goal order by position)) as terms
    from (select organization_id, position, 'Summarize chapter ' || position || ' 汇总数据' as goal from made_subtasks limit ${SUBTASKS_EACH}) s
    group by organization_id
  )
  insert into search_documents (task_id, organization_id, created_at, terms)
  select m.task_id, m.organization_id, m.created_at, search_document(m.organization_id, shared.terms, array[m.goal])
  from made m
  cross join shared
  order by m.n desc`;

const insertKeys = (tx: Sql) => tx`
  insert into idempotency_keys (organization_id, principal_id, key, operation, request_hash, response, created_at)
  select organization_id, owner_id, task_id::text, 'submitTask', md5(task_id::text), '{"plain": {}}',
    greatest(created_at, clock_timestamp() - interval '23 hours')
  from made
  order by n desc`;

/** Former queue entries and outbox rows: inserted and deleted. */
const addDeadRows = async (tx: Sql) => {
  await tx`
    insert into queue_entries (subtask_id, organization_id, owner_id, tool, labels, priority, turn, created_at, paused)
    select subtask_id, organization_id, owner_id, 'scripted', '{}', 5, row_number() over (order by created_at, position), created_at, false
    from made_subtasks`;
  await tx`delete from queue_entries q using made_subtasks m where q.subtask_id = m.subtask_id`;
  await tx`
    insert into outbox (organization_id, topic, payload, available_at)
    select organization_id, 'history', jsonb_build_object('subtask_ids', jsonb_build_array(subtask_id)), created_at + interval '10 seconds'
    from made_subtasks`;
  await tx`delete from outbox where topic = 'history'`;
};
