import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash, randomUUID } from 'node:crypto';
import { openPool } from '../../../functions/platform/pool.ts';
import { ApiError, type Client, createClient } from '../../../schema/client/client.ts';
import type { System } from '../../support/processes.ts';

type Held = { subtask_id: string; attempt: number; lease_token: string; worker_id: string };
/** With a file that was uploaded while the lease was valid, but not confirmed. */
type Stale = Held & { artifact_id: string };

const inDatabase = async <T>(system: System, ask: (sql: ReturnType<typeof openPool>) => Promise<T>): Promise<T> => {
  const sql = openPool((await system.postgres()).url);
  try {
    return await ask(sql);
  } finally {
    await sql.end();
  }
};

/** The fences of lost attempts that had started an upload. */
export const staleFences = (system: System): Promise<Stale[]> =>
  inDatabase(system, async (sql) => [
    ...(await sql<Stale[]>`
      select subtask_id, attempt, lease_token, worker_id, artifact_id
      from attempts join artifacts using (subtask_id, attempt)
      where attempts.status = 'lost' and artifacts.name = ${BEGUN}
      order by subtask_id`),
  ]);

/** Clients with the workers' own credentials, which are read from their state folders. */
const clientsOf = async ({ data, url, workers }: System): Promise<Map<string, Client>> => {
  const states = workers.map(async ({ name }) => {
    const folder = join(data, '..', name, 'workers');
    const file = (await readdir(folder)).find((it) => it.endsWith('.json')) ?? '';
    return JSON.parse(await readFile(join(folder, file), 'utf8')) as { worker_id: string; credential: string };
  });
  return new Map((await Promise.all(states)).map(({ worker_id, credential }) => [worker_id, createClient({ url, token: credential })]));
};

const WORD = 'written by a stale attempt';
const BEGUN = 'started before the lease was lost';

const fileOf = ({ subtask_id }: Held) => {
  const content = `file of ${subtask_id}`;
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { content, spec: { name: BEGUN, content_type: 'text/plain', size_bytes: content.length, sha256 } };
};

const upload = async (system: System, client: Client, it: Held): Promise<void> => {
  const { content, spec } = fileOf(it);
  const { upload } = await client.createArtifact({ params: at(it), body: { ...fenceOf(it), ...spec } });
  if (upload === null) throw new Error('a new file has no upload request');
  const response = await fetch(new URL(upload.url, system.url), { method: upload.method, headers: upload.headers, body: content });
  if (!response.ok) throw new Error(`the upload returned ${response.status}`);
};

/** Uploads a file for each running attempt without confirming it. Returns false when an attempt was lost meanwhile. */
export const beginUploads = async (system: System): Promise<boolean> => {
  const clients = await clientsOf(system);
  const held = await inDatabase(system, async (sql) => [
    ...(await sql<Held[]>`select subtask_id, attempt, lease_token, worker_id from attempts where status = 'running'`),
  ]);
  try {
    await Promise.all(held.map((it) => upload(system, clients.get(it.worker_id) as Client, it)));
    return true;
  } catch (error) {
    if (REFUSED.has(codeOf(error))) return false;
    throw error;
  }
};

const at = ({ subtask_id }: Held) => ({ subtask_id });
const fenceOf = ({ attempt, lease_token }: Held) => ({ attempt, lease_token });
const fencedOf = (it: Held) => ({ ...at(it), ...fenceOf(it) });

/** Every kind of write that a worker can send for an attempt. */
const WRITES: readonly ((client: Client, stale: Stale) => Promise<unknown>)[] = [
  (client, it) => client.completeSubtask({ params: at(it), body: { ...fenceOf(it), result: WORD } }),
  async (client, it) => {
    const body = { completions: [{ ...fencedOf(it), result: WORD }] };
    const { results } = await client.completeSubtasks({ params: { worker_id: it.worker_id }, body });
    if (results[0]?.ok === false) throw new Error(results[0].code);
  },
  (client, it) => client.failSubtask({ params: at(it), body: { ...fenceOf(it), failure_class: 'tool_error', message: WORD } }),
  (client, it) => client.releaseSubtask({ params: at(it), body: { ...fenceOf(it), reason: WORD } }),
  (client, it) => client.startSubtask({ params: at(it), body: fenceOf(it) }),
  (client, it) => client.appendLogs({ params: at(it), body: { ...fenceOf(it), chunks: [{ chunk: 0, stream: 'stdout', content: WORD }] } }),
  (client, it) => {
    const file = { name: `${WORD} ${randomUUID()}`, content_type: 'text/plain', size_bytes: 1, sha256: '0'.repeat(64) };
    return client.createArtifact({ params: at(it), body: { ...fenceOf(it), ...file } });
  },
  (client, it) => client.createArtifact({ params: at(it), body: { ...fenceOf(it), ...fileOf(it).spec } }),
  (client, it) => client.storeArtifact({ params: { ...at(it), artifact_id: it.artifact_id }, body: fenceOf(it) }),
  async (client, it) => {
    const body = { leases: [{ ...fencedOf(it), progress: { message: WORD } }] };
    const { leases } = await client.heartbeat({ params: { worker_id: it.worker_id }, body });
    if (leases[0]?.state === 'lost') throw new Error('lease_lost');
  },
];

const REFUSED = new Set(['lease_lost', 'attempt_ended']);
const codeOf = (error: unknown) => (error instanceof ApiError ? error.code : (error as Error).message);

/** Tries `count` writes with stale fences. Returns how many the server accepted and refused, and any other error codes. */
export const tryStaleWrites = async (system: System, stale: readonly Stale[], count: number) => {
  const clients = await clientsOf(system);
  const outcomes = { accepted: 0, refused: 0, other: [] as string[] };
  const tryOne = async (n: number) => {
    const it = stale[n % stale.length] as Stale;
    try {
      await WRITES[Math.floor(n / stale.length) % WRITES.length]?.(clients.get(it.worker_id) as Client, it);
      outcomes.accepted++;
    } catch (error) {
      if (REFUSED.has(codeOf(error))) outcomes.refused++;
      else outcomes.other.push(codeOf(error));
    }
  };
  for (let n = 0; n < count; n += stale.length)
    await Promise.all(Array.from({ length: Math.min(stale.length, count - n) }, (_, at) => tryOne(n + at)));
  return outcomes;
};

/** The number of rows that stale writes have left in the database. */
export const staleTraces = (system: System): Promise<number> =>
  inDatabase(system, async (sql) => {
    const like = `%${WORD}%`;
    const [row] = await sql<[{ count: number }]>`
      select ((select count(*) from attempt_logs where content like ${like}) + (select count(*) from artifacts where name like ${like})
        + (select count(*) from subtasks where result::text like ${like} or error::text like ${like})
        + (select count(*) from attempts where progress::text like ${like} or error::text like ${like})
        + (select count(*) from artifacts where name = ${BEGUN} and status = 'stored')
        + (select count(*) from activity_logs where type = 'artifact.stored' and data->>'name' = ${BEGUN}))::int as count`;
    return row.count;
  });
