import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { openPool } from '../../../functions/platform/postgres.ts';
import { ApiError, type Client, createClient } from '../../../schema/client.ts';
import type { System } from '../../support/processes.ts';

type Stale = { subtask_id: string; attempt: number; lease_token: string; worker_id: string };

const inDatabase = async <T>(system: System, ask: (sql: ReturnType<typeof openPool>) => Promise<T>): Promise<T> => {
  const sql = openPool((await system.postgres()).url);
  try {
    return await ask(sql);
  } finally {
    await sql.end();
  }
};

/** The fences of attempts that were lost. */
export const staleFences = (system: System): Promise<Stale[]> =>
  inDatabase(system, async (sql) => [
    ...(await sql<Stale[]>`select subtask_id, attempt, lease_token, worker_id from attempts where status = 'lost' order by subtask_id`),
  ]);

/** The workers' own credentials, from where they keep them. */
const clientsOf = async ({ data, url, workers }: System): Promise<Map<string, Client>> => {
  const states = workers.map(async ({ name }) => {
    const folder = join(data, '..', name, 'workers');
    const file = (await readdir(folder)).find((it) => it.endsWith('.json')) ?? '';
    return JSON.parse(await readFile(join(folder, file), 'utf8')) as { worker_id: string; credential: string };
  });
  return new Map((await Promise.all(states)).map(({ worker_id, credential }) => [worker_id, createClient({ url, token: credential })]));
};

const WORD = 'written by a stale attempt';

/** Every write that a worker can do for an attempt. */
const WRITES: readonly ((client: Client, stale: Stale) => Promise<unknown>)[] = [
  (client, { subtask_id, worker_id: _, ...fence }) => client.completeSubtask({ params: { subtask_id }, body: { ...fence, result: WORD } }),
  (client, { worker_id, ...fenced }) =>
    client.completeSubtasks({ params: { worker_id }, body: { completions: [{ ...fenced, result: WORD }] } }).then(({ results }) => {
      if (results[0]?.ok === false) throw new Error(results[0].code);
    }),
  (client, { subtask_id, worker_id: _, ...fence }) =>
    client.failSubtask({ params: { subtask_id }, body: { ...fence, failure_class: 'tool_error', message: WORD } }),
  (client, { subtask_id, worker_id: _, ...fence }) => client.releaseSubtask({ params: { subtask_id }, body: { ...fence, reason: WORD } }),
  (client, { subtask_id, worker_id: _, ...fence }) => client.startSubtask({ params: { subtask_id }, body: fence }),
  (client, { subtask_id, worker_id: _, ...fence }) =>
    client.appendLogs({ params: { subtask_id }, body: { ...fence, chunks: [{ chunk: 0, stream: 'stdout', content: WORD }] } }),
  (client, { subtask_id, worker_id: _, ...fence }) =>
    client.createArtifact({
      params: { subtask_id },
      body: { ...fence, name: `${WORD} ${randomUUID()}`, content_type: 'text/plain', size_bytes: 1, sha256: '0'.repeat(64) },
    }),
  (client, { worker_id, ...fenced }) =>
    client.heartbeat({ params: { worker_id }, body: { leases: [{ ...fenced, progress: { message: WORD } }] } }).then(({ leases }) => {
      if (leases[0]?.state === 'lost') throw new Error('lease_lost');
    }),
];

const REFUSED = new Set(['lease_lost', 'attempt_ended']);
const codeOf = (error: unknown) => (error instanceof ApiError ? error.code : (error as Error).message);

/** Tries so many writes under fences that are no longer current; answers how many the server took, and what else it said of them. */
export const tryStaleWrites = async (system: System, stale: readonly Stale[], count: number) => {
  const clients = await clientsOf(system);
  const said = { landed: 0, refused: 0, other: [] as string[] };
  const tryOne = async (n: number) => {
    const it = stale[n % stale.length] as Stale;
    try {
      await WRITES[Math.floor(n / stale.length) % WRITES.length]?.(clients.get(it.worker_id) as Client, it);
      said.landed++;
    } catch (error) {
      if (REFUSED.has(codeOf(error))) said.refused++;
      else said.other.push(codeOf(error));
    }
  };
  for (let n = 0; n < count; n += stale.length)
    await Promise.all(Array.from({ length: Math.min(stale.length, count - n) }, (_, at) => tryOne(n + at)));
  return said;
};

/** What Postgres has of them. */
export const staleTraces = (system: System): Promise<number> =>
  inDatabase(system, async (sql) => {
    const like = `%${WORD}%`;
    const [row] = await sql<[{ count: number }]>`
      select ((select count(*) from attempt_logs where content like ${like}) + (select count(*) from artifacts where name like ${like})
        + (select count(*) from subtasks where result::text like ${like} or error::text like ${like})
        + (select count(*) from attempts where progress::text like ${like} or error::text like ${like}))::int as count`;
    return row.count;
  });
