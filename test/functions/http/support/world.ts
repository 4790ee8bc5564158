import { createHash, randomUUID } from 'node:crypto';
import type { BlobStore } from '../../../../functions/domain/ports/blobs.ts';
import type { Transfer } from '../../../../schema/artifact.ts';
import type { Queues } from '../../../../functions/domain/ports/queues.ts';
import { type Backend, createBackend } from '../../../support/backend.ts';
import { enrol } from '../../../support/worker.ts';

export const BYTES = Buffer.from('what an attempt leaves');
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
export const SHA256 = hashOf(BYTES);

/** A blob store in memory; `put` stands for a client's upload. */
const memoryBlobs = () => {
  const stored = new Map<string, { size_bytes: number; sha256: string }>();
  const transfer = async (method: Transfer['method'], key: string): Promise<Transfer> => ({
    method,
    url: `http://blobs.test/${key}`,
    headers: {},
    expires_at: new Date(Date.now() + 60_000).toISOString(),
  });
  const store: BlobStore = {
    upload: (key) => transfer('PUT', key),
    download: (key) => transfer('GET', key),
    stat: async (key) => stored.get(key) ?? null,
    remove: async (key) => void stored.delete(key),
  };
  return { ...store, put: (key: string, bytes: Buffer) => stored.set(key, { size_bytes: bytes.length, sha256: hashOf(bytes) }) };
};

export type World = ReturnType<typeof inhabit>;

/** Queues that accept nothing: the messages of a request stay in the outbox. */
const NO_QUEUES: Queues = {
  send: async (_, messages) => messages.map(({ id }) => id),
  bury: async () => {},
  listDead: async () => ({ letters: [], total: 0 }),
  redrive: async () => 0,
};

/** A backend in which requests find the objects that they name. */
export const createWorld = async (options: Parameters<typeof createBackend>[0] = {}): Promise<World> => {
  const blobs = memoryBlobs();
  const backend = await createBackend({ blobs, push: { post: async () => 'gone', close: async () => {} }, queues: NO_QUEUES, ...options });
  return inhabit(backend, blobs, backend.adminKey);
};

/** The same backend, seen by another organization. */
export const abroad = async ({ backend, blobs }: World): Promise<World> => {
  const { key } = await backend.newKey({ organization: 'abroad' });
  return inhabit(backend, blobs, key);
};

/** What the holder of a key can create; each call creates a new object. */
const inhabit = (backend: Backend, blobs: ReturnType<typeof memoryBlobs>, key: string) => {
  const admin = backend.as(key);

  /** A worker with a tool of its own, so that no other worker claims its subtasks. */
  const worker = async () => {
    const tool = `t${randomUUID().slice(0, 18)}`;
    return { tool, ...(await enrol({ ...backend, admin }, { tools: [tool], name: tool })) };
  };
  const pair = (tool: string) => [
    { key: 'first', goal: 'the first', tool },
    { key: 'second', goal: 'the second', tool, dependencies: ['first'] },
  ];
  /** A task that waits: no worker has its tool. */
  const task = () => admin.ok.submitTask({ body: { goal: 'a task', subtasks: pair('unserved') } });
  const endedTask = async () => admin.ok.cancelTask({ params: { task_id: (await task()).task_id } });
  /** A subtask that a worker has started, whose parent has completed. */
  const held = async () => {
    const its = await worker();
    await admin.ok.submitTask({ body: { goal: 'held', subtasks: pair(its.tool) } });
    for (const parent of await its.claim()) await its.complete(parent, { words: 3 });
    const [it] = await its.claim();
    if (it === undefined) throw new Error('nothing was claimed');
    return { worker: its, token: its.credential, it, fence: its.fence(it), params: { subtask_id: it.subtask_id } };
  };
  /** A file that a worker has announced and uploaded. */
  const announced = async () => {
    const holding = await held();
    const { artifact_id } = await holding.worker.as.ok.createArtifact({
      params: holding.params,
      body: { ...holding.fence, name: 'out.txt', content_type: 'text/plain', size_bytes: BYTES.length, sha256: SHA256 },
    });
    blobs.put(artifact_id, BYTES);
    return { ...holding, artifact_id };
  };
  const stored = async () => {
    const { artifact_id, ...holding } = await announced();
    await holding.worker.as.ok.storeArtifact({ params: { ...holding.params, artifact_id }, body: holding.fence });
    return { ...holding, artifact_id };
  };
  const apiKey = () => admin.ok.createApiKey({ body: { name: 'a key', scopes: ['tasks:read'] } });
  const enrolmentToken = async () => (await admin.ok.createEnrolmentToken({ body: { tools: ['exec', 'scripted'] } })).enrolment_token;
  return { backend, blobs, key, admin, worker, task, endedTask, held, announced, stored, apiKey, enrolmentToken, close: backend.close };
};
