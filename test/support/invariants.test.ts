import { describe, expect, it } from 'vitest';
import { type Backend, backendForTest } from './backend.ts';
import { checkInvariants, INVARIANT_NAMES, type Invariant } from './invariants.ts';
import { enrol } from './worker.ts';

/** For each invariant, a change that violates it. Constraints and triggers are off while it is applied. */
const DAMAGE: Record<Invariant, string> = {
  'a subtask completes at most once': `
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run, subtask_id)
    select task_id, 100, organization_id, type, level, message, run, subtask_id from activity_logs where type = 'subtask.completed' limit 1`,
  'a leased subtask has exactly one open attempt, with the same lease; other subtasks have none': `
    update attempts set lease_token = gen_random_uuid() where ended_at is null`,
  'attempts are numbered from 1 without gaps and each has its own lease': `update attempts set attempt = 2 where ended_at is not null`,
  'no subtask starts before its parents have completed': `delete from activity_logs where type = 'subtask.completed'`,
  'a child is released at most once per run': `
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run, subtask_id)
    select task_id, seq + 100, organization_id, type, level, message, run, subtask_id from activity_logs where type = 'subtask.ready'`,
  'events are numbered from 1 to last_seq without gaps': `delete from activity_logs where seq = 2`,
  'counters match the rows they count': `update tasks set completed_count = completed_count - 1 where completed_count > 0`,
  'a blocked subtask counts the parents that have not completed': `update subtasks set blocked_by = blocked_by + 1 where status = 'blocked'`,
  'the dependencies of a subtask match its edges': `delete from subtask_edges`,
  'the queue holds exactly the ready subtasks, with the values of their task': `delete from queue_entries`,
  'attempts stay within their limits': `update subtasks set infra_attempts = 99 where status = 'running'`,
  'a run ends once, and has no events after its end': `
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run)
    select task_id, 0, organization_id, 'task.cancelled', level, message, run from activity_logs where type = 'task.started'`,
  'an ended task has no open subtasks': `update tasks set status = 'cancelled', ended_at = clock_timestamp()`,
  'every ended subtask has an event for its end': `delete from activity_logs where type = 'subtask.completed'`,
  'no worker holds more than its slots': `
    insert into attempts (subtask_id, attempt, organization_id, task_id, worker_id, run, claim_request_id, status, lease_token, lease_expires_at)
    select subtask_id, 7, organization_id, task_id, worker_id, run, claim_request_id, 'running', gen_random_uuid(), lease_expires_at from attempts where ended_at is null`,
  'rows of a task belong to its organization and owner': `update subtasks set owner_id = gen_random_uuid() where status = 'ready'`,
};

/** A task with four subtasks: one completed, one running, one ready and one blocked. */
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

describe('the invariant checks', () => {
  it('find nothing in a consistent database', async () => {
    const backend = await backendForTest();
    await populate(backend);

    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('each find a violation', async () => {
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
