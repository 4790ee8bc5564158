import { setTimeout as pause } from 'node:timers/promises';
import * as enrolment from '../functions/domain/enrolment/enrolment.ts';
import { bootstrap } from '../functions/domain/organizations/organizations.ts';
import type { Caller, WorkerPrincipal } from '../functions/domain/principal.ts';
import * as tasks from '../functions/domain/tasks/tasks.ts';
import { commit } from '../functions/domain/unit-of-work.ts';
import type { Context } from '../functions/domain/context.ts';
import type { Sql } from '../functions/domain/ports/sql.ts';
import { createClient } from '../schema/client/client.ts';
import { SCOPES } from '../schema/route.ts';
import { TaskSpec } from '../schema/task.ts';

/** Creates the first organization of a fresh database, and the caller that owns what is measured. */
export const createOwner = async (ctx: Context): Promise<{ caller: Caller; adminKey: string }> => {
  const { admin_key } = await bootstrap(ctx);
  const [row] = await ctx.sql<[{ organization_id: string; user_id: string }]>`select organization_id, user_id from users`;
  const { organization_id, user_id } = row;
  return {
    adminKey: admin_key ?? '',
    caller: { kind: 'caller', organization_id, principal_id: user_id, owner_id: user_id, scopes: SCOPES },
  };
};

export const createWorker = async (ctx: Context, caller: Caller): Promise<{ principal: WorkerPrincipal; credential: string }> => {
  const { enrolment_token } = await commit(ctx, (unit) =>
    enrolment.createToken(unit, caller, { tools: ['scripted'], labels: {}, expires_in_seconds: 900 }),
  );
  const spec = { name: 'bench', machine_name: 'bench', tools: ['scripted'], slots: 64, agent_version: 'bench' };
  const { worker, credential } = await enrolment.register(ctx, enrolment_token, spec);
  return {
    credential,
    principal: { kind: 'worker', worker_id: worker.worker_id, organization_id: caller.organization_id, nears_end: false },
  };
};

/** A task that fans out from one subtask to `width` and back in to one. */
export const fanOutAndIn = (width: number): TaskSpec => {
  const middle = Array.from({ length: width }, (_, n) => `m${n}`);
  return TaskSpec.parse({
    goal: 'fan out and in',
    subtasks: [
      { key: 'first', goal: 'x' },
      ...middle.map((key) => ({ key, goal: 'x', dependencies: ['first'] })),
      { key: 'last', goal: 'x', dependencies: middle },
    ],
  });
};

export const submitMany = async (ctx: Context, caller: Caller, count: number, width: number) => {
  for (let n = 0; n < count; n++) await tasks.submit(ctx, caller, fanOutAndIn(width));
};

/** Enrols workers with a running platform, as any worker does. */
export const enrolWorkers = (url: string, adminKey: string, count: number) =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const { enrolment_token } = await createClient({ url, token: adminKey }).createEnrolmentToken({ body: { tools: ['scripted'] } });
      const body = { name: 'bench', machine_name: 'bench', tools: ['scripted'], slots: 64 };
      const { worker, credential } = await createClient({ url, token: enrolment_token }).registerWorker({ body });
      return { worker_id: worker.worker_id, credential };
    }),
  );

/** Submits tasks through the API and waits until their messages are handled; returns their ids. */
export const submitByApi = async (url: string, adminKey: string, sql: Sql, count: number, width: number): Promise<string[]> => {
  const client = createClient({ url, token: adminKey });
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push((await client.submitTask({ body: fanOutAndIn(width) })).task_id);
  await settled(sql);
  return ids;
};

const SETTLE_MS = 30_000;

const settled = async (sql: Sql) => {
  for (const end = performance.now() + SETTLE_MS; performance.now() < end; await pause(20))
    if ((await sql`select from outbox limit 1`).length === 0) return;
  throw new Error(`the outbox did not drain within ${SETTLE_MS} ms`);
};
