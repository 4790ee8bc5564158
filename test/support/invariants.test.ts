import { describe, expect, it } from 'vitest';
import { type Backend, backendForTest } from './backend.ts';
import { checkInvariants, INVARIANT_NAMES, type Invariant } from './invariants.ts';
import { enrol } from './worker.ts';

/** For each invariant, the damage that it must find. The constraints and triggers of the tables are off while it is done. */
const DAMAGE: Record<Invariant, string> = {
  'a subtask completes at most once': `
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run, subtask_id)
    select task_id, 100, organization_id, type, level, message, run, subtask_id from activity_logs where type = 'subtask.completed' limit 1`,
  'a leased subtask has exactly one open attempt, under its lease; others have none': `
    update attempts set lease_token = gen_random_uuid() where ended_at is null`,
  'attempts are numbered 1, 2, 3 and each has a lease of its own': `update attempts set attempt = 2 where ended_at is not null`,
  'nothing starts before its parents completed': `delete from activity_logs where type = 'subtask.completed'`,
  'a child is released once a run': `
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run, subtask_id)
    select task_id, seq + 100, organization_id, type, level, message, run, subtask_id from activity_logs where type = 'subtask.ready'`,
  'events are numbered 1 to last_seq without a gap': `delete from activity_logs where seq = 2`,
  'counters equal rows': `update tasks set completed_count = completed_count - 1 where completed_count > 0`,
  'a blocked subtask counts the parents that have not completed': `update subtasks set blocked_by = blocked_by + 1 where status = 'blocked'`,
  'dependencies as read are the edges': `delete from subtask_edges`,
  'the queue holds what is ready, as its task wants it': `delete from queue_entries`,
  'tries stay within their limits': `update subtasks set infra_attempts = 99 where status = 'running'`,
  'a run has one end, and nothing happens after it': `
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run)
    select task_id, 0, organization_id, 'task.cancelled', level, message, run from activity_logs where type = 'task.started'`,
  'an ended task has nothing open': `update tasks set status = 'cancelled', ended_at = clock_timestamp()`,
  'every change of a subtask has its cause among the events': `delete from activity_logs where type = 'subtask.completed'`,
  'no worker holds more than its slots': `
    insert into attempts (subtask_id, attempt, organization_id, task_id, worker_id, run, claim_request_id, status, lease_token, lease_expires_at)
    select subtask_id, 7, organization_id, task_id, worker_id, run, claim_request_id, 'running', gen_random_uuid(), lease_expires_at from attempts where ended_at is null`,
  'rows of a task belong to its organization and owner': `update subtasks set owner_id = gen_random_uuid() where status = 'ready'`,
};

/** A task with a subtask completed, one running, one ready and one blocked. */
const populate = async (backend: Backend) => {
  const worker = await enrol(backend, { slots: 1 });
  const subtasks = [
    { key: 'a', goal: 'a' },
    { key: 'b', goal: 'b', dependencies: ['a'] },
    { key: 'c', goal: 'c', dependencies: ['a'] },
    { key: 'd', goal: 'd', dependencies: ['b', 'c'] },
  ];
  await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks } });
  const [first] = await worker.claim();
  if (first) await worker.complete(first);
  await worker.claim();
};

describe('the checker of invariants', () => {
  it('finds nothing in a sound database', async () => {
    const backend = await backendForTest();
    await populate(backend);

    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('finds the damage to each of them', async () => {
    const backend = await backendForTest();
    await populate(backend);

    for (const name of INVARIANT_NAMES) {
      const found = await backend.ctx.sql
        .begin(async (sql) => {
          await sql`set local session_replication_role = replica`;
          const damaged = await sql.unsafe(DAMAGE[name]);
          if (damaged.count === 0) throw new Error(`nothing was damaged for: ${name}`);
          throw await checkInvariants(sql);
        })
        .catch((thrown: unknown) => thrown);

      expect(found).toContainEqual(expect.stringContaining(name));
    }
  });
});
