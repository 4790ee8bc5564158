import { randomUUID } from 'node:crypto';
import * as attempts from '../../functions/domain/attempts/attempts.ts';
import { heartbeat } from '../../functions/domain/attempts/heartbeat.ts';
import * as inputs from '../../functions/domain/attempts/inputs.ts';
import * as logs from '../../functions/domain/attempts/logs.ts';
import * as enrolment from '../../functions/domain/enrolment/enrolment.ts';
import * as apiKeys from '../../functions/domain/api-keys/api-keys.ts';
import { findCallers } from '../../functions/domain/api-keys/api-keys.sql.ts';
import * as artifacts from '../../functions/domain/artifacts/artifacts.ts';
import * as health from '../../functions/domain/health/health.ts';
import { carryOut } from '../../functions/domain/outbox/carry-out.ts';
import { relay } from '../../functions/domain/outbox/relay.ts';
import { reconcile } from '../../functions/domain/live/reconcile.ts';
import { isDone, readModes } from '../../functions/domain/live/live.sql.ts';
import { endOverdue, mayReap, purge } from '../../functions/domain/maintenance/maintenance.ts';
import { once } from '../../functions/domain/idempotency.ts';
import { bootstrap } from '../../functions/domain/organizations/organizations.ts';
import { insertAdministrator, insertOrganization } from '../../functions/domain/organizations/organizations.sql.ts';
import { explain } from '../../functions/domain/subtasks/explain.ts';
import * as subtasks from '../../functions/domain/subtasks/subtasks.ts';
import * as tasks from '../../functions/domain/tasks/tasks.ts';
import { readLoad } from '../../functions/domain/workers/load.ts';
import { commit } from '../../functions/domain/unit-of-work.ts';
import * as workers from '../../functions/domain/workers/workers.ts';
import type { RouteName } from '../../schema/routes.ts';
import { SubtaskSpec } from '../../schema/task.ts';
import { fanOutAndIn } from '../setup.ts';
import * as stage from './stage.ts';
import type { Stage } from './stage.ts';

/** Prepares the data, and returns the function to measure. */
export type Operation = (at: Stage) => Promise<() => Promise<unknown>>;

const { fence, held, nextClaim, one, submitted } = stage;
const done = (claimed: readonly Parameters<typeof fence>[0][]) => claimed.map((it) => ({ ...fence(it), result: 1 }));
const file = (attempt: Parameters<typeof fence>[0]) => ({
  ...fence(attempt),
  name: 'out.txt',
  content_type: 'text/plain',
  ...stage.FILE,
});

const ended = async (at: Stage) => {
  const { task_id } = await submitted(at);
  await commit(at.plain, (unit) => tasks.cancel(unit, at.caller, task_id, ''));
  return task_id;
};
const enrolmentToken = (at: Stage) =>
  commit(at.plain, (unit) => enrolment.createToken(unit, at.caller, { tools: ['a'], labels: {}, expires_in_seconds: 60 }));
const newWorker = { name: 'another', machine_name: 'another', tools: ['a'], slots: 1, agent_version: '1' };
const another = async (at: Stage) => enrolment.register(at.plain, (await enrolmentToken(at)).enrolment_token, newWorker);
const search =
  (q: string, more: { status?: 'completed' | 'running' } = {}): Operation =>
  async (at) =>
  () =>
    tasks.list(at.ctx, at.caller, { q, limit: 50, ...more });

/** One for each route; null if the route does not query the database. */
export const OPERATIONS: Record<RouteName, Operation | null> = {
  getRoot: null,
  getOpenapi: null,
  getDocs: null,
  getRedisHealth: null,
  createTicket: null,
  listDeadLetters: null,
  redriveDeadLetters: null,
  getHealth: async (at) => () => health.overall(at.ctx),
  getDatabaseHealth: async (at) => () => health.database(at.ctx),
  getDetailedHealth: async (at) => () => health.detailed(at.ctx),

  submitTask: async (at) => {
    const request = { key: randomUUID(), operation: 'submitTask', hash: 'x', secret: false };
    return () => tasks.submit(at.ctx, at.caller, fanOutAndIn(8), request);
  },
  listTasks: async (at) => async () => {
    const { next_cursor } = await tasks.list(at.ctx, at.caller, { limit: 50 });
    if (next_cursor !== null) await tasks.list(at.ctx, at.caller, { status: 'completed', limit: 50, cursor: next_cursor });
  },
  getTask: async (at) => {
    const { task_id } = await stage.finished(at);
    return () => tasks.get(at.ctx, at.caller, task_id);
  },
  listSubtasks: async (at) => {
    const { task_id } = await stage.finished(at);
    return () => subtasks.list(at.ctx, at.caller, task_id, { limit: 50 });
  },
  addSubtasks: async (at) => {
    const { task_id } = await submitted(at);
    const added = [SubtaskSpec.parse({ key: 'more', goal: 'something more', dependencies: ['first'] })];
    return () => commit(at.ctx, (unit) => tasks.addSubtasks(unit, at.caller, task_id, { subtasks: added }));
  },
  listEvents: async (at) => {
    const { task_id } = await stage.finished(at);
    return () => tasks.events(at.ctx, at.caller, task_id, { after_seq: 0, limit: 50 });
  },
  updateTask: async (at) => {
    const { task_id, version } = await submitted(at);
    return () => commit(at.ctx, (unit) => tasks.update(unit, at.caller, task_id, version, { priority: 7 }));
  },
  cancelTask: async (at) => {
    const { task_id } = await submitted(at);
    return () => commit(at.ctx, (unit) => tasks.cancel(unit, at.caller, task_id, ''));
  },
  pauseTask: async (at) => {
    const { task_id } = await submitted(at);
    return () => commit(at.ctx, (unit) => tasks.pause(unit, at.caller, task_id));
  },
  resumeTask: async (at) => {
    const { task_id } = await submitted(at);
    await commit(at.plain, (unit) => tasks.pause(unit, at.caller, task_id));
    return () => commit(at.ctx, (unit) => tasks.resume(unit, at.caller, task_id));
  },
  retryTask: async (at) => {
    const task_id = await ended(at);
    return () => commit(at.ctx, (unit) => tasks.retry(unit, at.caller, task_id));
  },
  deleteTask: async (at) => {
    const task_id = await ended(at);
    return () => commit(at.ctx, (unit) => tasks.remove(unit, at.caller, task_id));
  },

  getSubtask: async (at) => {
    const { subtask_id } = await stage.finished(at);
    return () => subtasks.get(at.ctx, at.caller, subtask_id);
  },
  listLogs: async (at) => {
    const { subtask_id } = await stage.finished(at);
    return () => logs.list(at.ctx, at.caller, subtask_id, { attempt: 0, after_chunk: -1, limit: 50 });
  },
  explainSubtask: async (at) => {
    const { task_id } = await submitted(at, fanOutAndIn(8));
    const { items } = await subtasks.list(at.plain, at.caller, task_id, { limit: 2 });
    return async () => {
      for (const { subtask_id } of items) await explain(at.ctx, at.caller, subtask_id);
    };
  },
  listArtifacts: async (at) => {
    const { subtask_id } = await stage.finished(at);
    return () => artifacts.list(at.ctx, at.caller, subtask_id);
  },
  getArtifact: async (at) => {
    const [it] = await held(at);
    const { artifact_id } = await artifacts.announce(at.plain, at.worker, it.subtask_id, file(it));
    return () => artifacts.get(at.ctx, at.caller, artifact_id);
  },
  startSubtask: async (at) => {
    await submitted(at);
    const { claimed } = await attempts.claim(at.plain, at.worker, { ...nextClaim(), start: false });
    return async () => {
      for (const it of claimed) await attempts.start(at.ctx, at.worker, fence(it));
    };
  },
  getInput: async (at) => {
    const { subtask_id } = await stage.heldChild(at);
    return () => inputs.get(at.ctx, at.worker, subtask_id, 'first');
  },
  appendLogs: async (at) => {
    const [it] = await held(at);
    return () => logs.append(at.ctx, at.worker, fence(it), [{ chunk: 0, stream: 'stdout', content: 'printed' }]);
  },
  createArtifact: async (at) => {
    const [it] = await held(at);
    return () => artifacts.announce(at.ctx, at.worker, it.subtask_id, file(it));
  },
  storeArtifact: async (at) => {
    const [it] = await held(at);
    const { artifact_id } = await artifacts.announce(at.plain, at.worker, it.subtask_id, file(it));
    return () => artifacts.confirm(at.ctx, at.worker, fence(it), artifact_id);
  },
  completeSubtask: async (at) => {
    const [it] = await held(at);
    return () => attempts.complete(at.ctx, at.worker, it.subtask_id, { ...fence(it), result: 1 });
  },
  failSubtask: async (at) => {
    const [it] = await held(at);
    return () => attempts.fail(at.ctx, at.worker, it.subtask_id, { ...fence(it), failure_class: 'tool_error', message: 'it broke' });
  },
  releaseSubtask: async (at) => {
    const [it] = await held(at);
    return () => attempts.release(at.ctx, at.worker, { ...fence(it), reason: '' });
  },

  createEnrolmentToken: async (at) => () =>
    commit(at.ctx, (unit) => enrolment.createToken(unit, at.caller, { tools: ['a'], labels: {}, expires_in_seconds: 60 })),
  registerWorker: async (at) => {
    const { enrolment_token } = await enrolmentToken(at);
    const spec = { ...newWorker, registration_id: randomUUID() };
    return async () => {
      const { worker } = await enrolment.register(at.ctx, enrolment_token, spec);
      await enrolment.register(at.ctx, enrolment_token, spec); // its response was lost
      await commit(at.plain, (unit) => workers.remove(unit, at.caller, worker.worker_id));
    };
  },
  listWorkers: async (at) => () => workers.list(at.ctx, at.caller, { limit: 50 }),
  getWorker: async (at) => () => workers.get(at.ctx, at.caller, at.worker.worker_id),
  updateWorker: async (at) => {
    const { version } = await workers.get(at.plain, at.caller, at.worker.worker_id);
    return () => commit(at.ctx, (unit) => workers.update(unit, at.caller, at.worker.worker_id, version, { name: 'renamed' }));
  },
  deleteWorker: async (at) => {
    const { worker } = await another(at);
    return () => commit(at.ctx, (unit) => workers.remove(unit, at.caller, worker.worker_id));
  },
  heartbeat: async (at) => {
    const claimed = await held(at, 4);
    return () => heartbeat(at.ctx, at.worker, { leases: claimed.map(fence) });
  },
  claimSubtasks: async (at) => {
    await submitted(at);
    return () => attempts.claim(at.ctx, at.worker, nextClaim());
  },
  completeSubtasks: async (at) => {
    const claimed = await held(at);
    await submitted(at);
    return () => attempts.completeMany(at.ctx, at.worker, { completions: done(claimed), claim: nextClaim() });
  },
  createWorkerTicket: async (at) => () => workers.checkEnrolled(at.ctx, at.worker),

  createApiKey: async (at) => () => commit(at.ctx, (unit) => apiKeys.create(unit, at.caller, { name: 'a key', scopes: ['tasks:read'] })),
  listApiKeys: async (at) => () => apiKeys.list(at.ctx, at.caller, { limit: 50 }),
  revokeApiKey: async (at) => {
    const { api_key_id } = await commit(at.plain, (unit) => apiKeys.create(unit, at.caller, { name: 'a key', scopes: ['tasks:read'] }));
    return () => commit(at.ctx, (unit) => apiKeys.revoke(unit, at.caller, api_key_id));
  },
};

/** Operations without a request. */
export const JOBS: Record<string, Operation> = {
  authenticate: async (at) => () => findCallers(at.ctx.sql, ['00'.repeat(32)]),
  bootstrap: async (at) => () => bootstrap(at.ctx),
  'the first bootstrap': async (at) => () =>
    at.ctx.sql
      .begin(async (tx) => {
        await insertAdministrator(tx, await insertOrganization(tx));
        throw new Error('rolled back: the database of the bench has its organization');
      })
      .catch(() => {}),
  'a request with an Idempotency-Key, then again': async (at) => {
    const request = { key: randomUUID(), operation: 'bench', hash: 'x', secret: false };
    const ask = () => commit(at.ctx, (unit) => once(unit, at.ctx, at.caller, request, async () => 1));
    return async () => [await ask(), await ask()];
  },
  'workers whose presence has expired': async (at) => () => readModes(at.ctx.sql, [at.worker.worker_id]),
  'messages of the queues': async (at) => {
    await another(at);
    await held(at, 3);
    const rows = await stage.inOutbox(at);
    return () => carryOut(at.withRedis, rows);
  },
  relay: async (at) => {
    await held(at, 3);
    await at.plain.sql`
      insert into outbox (organization_id, topic, payload)
      values (${at.caller.organization_id}, 'blob.remove', ${JSON.stringify({ key: stage.LOST_BLOB })})`;
    await at.plain.sql`update outbox set available_at = clock_timestamp()`;
    return () => relay(at.ctx);
  },
  'nothing to relay': async (at) => () => relay(at.ctx),
  'end what is overdue': async (at) => {
    await held(at, 3);
    const { task_id } = await submitted(at, { ...one(), timeout_seconds: 60 });
    await at.plain.sql`update attempts set lease_expires_at = clock_timestamp() where ended_at is null`;
    await at.plain.sql`update tasks set deadline_at = clock_timestamp() where task_id = ${task_id}`;
    return async () => endOverdue(at.ctx, (await mayReap(at.ctx)) || true);
  },
  'nothing overdue': async (at) => {
    await held(at, 3);
    return () => endOverdue(at.ctx);
  },
  purge: async (at) => {
    const { subtask_id } = await stage.finished(at);
    await at.plain.sql`
      insert into attempt_logs (organization_id, subtask_id, attempt, chunk, stream, content, created_at)
      select ${at.caller.organization_id}, ${subtask_id}, 1, c, 'stdout', 'old', clock_timestamp() - interval '40 days'
      from generate_series(9000, 9099) c
      on conflict do nothing`;
    return () => purge(at.ctx);
  },
  'nothing to purge': async (at) => () => purge(at.ctx),
  reconcile: async (at) => {
    await held(at, 3);
    return () => reconcile(at.withRedis);
  },
  'look whether all is done': async (at) => () => isDone(at.ctx.sql),
  'read the load': async (at) => () => readLoad(at.ctx),
};

/** Searches whose cost could differ; the words are those of makeHistory. */
export const SEARCHES: Record<string, Operation> = {
  'a word of every task': search('report'),
  'a word of every second task': search('market'),
  'a word of one task in a thousand': search('giraffe'),
  'a word of the older half': search('archive'),
  'two words of every task': search('report chapters'),
  'two words that no task has both': search('north south'),
  'a Chinese word of every task': search('整理'),
  'a Chinese word of one task in a thousand': search('季度'),
  'a word of no task': search('rhinoceros'),
  'a word of every task, completed ones': search('report', { status: 'completed' }),
  'a word of every task, running ones': search('report', { status: 'running' }),
  'a rare word, completed ones': search('giraffe', { status: 'completed' }),
  'the 100th page of a word of every second task': async (at) => {
    const [row] = await at.plain.sql<[{ created_at: string; task_id: string }?]>`
      select created_at, task_id from tasks where goal like '%market%' order by created_at desc offset 4950 limit 1`;
    const cursor = row === undefined ? undefined : Buffer.from(JSON.stringify([row.created_at, row.task_id])).toString('base64url');
    return () => tasks.list(at.ctx, at.caller, { q: 'market', limit: 50, cursor });
  },
};
