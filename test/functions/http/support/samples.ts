import { randomUUID } from 'node:crypto';
import { SCOPES, type Input, type Route } from '../../../../schema/route.ts';
import type { RouteName, Routes } from '../../../../schema/routes.ts';
import { pathOf, type RawRequest } from '../../../support/backend.ts';
import { NO_REDIS } from '../../../support/redis-kind.ts';
import { BYTES, SHA256, type World } from './world.ts';

type Extra = { token?: string; headers?: Record<string, string> };
type Samples = { [N in RouteName]: Record<string, (world: World) => Promise<Input<Routes[N]> & Extra>> };

/** A request whose parts have no specific types. */
export type Sample = Extra & { params?: Record<string, string>; query?: Record<string, unknown>; body?: unknown };

const open = { plain: async () => ({}) };
const retry = { max_attempts: 2, max_infra_attempts: 3, on: ['tool_error' as const], base_ms: 10, max_ms: 20 };
const details = { tool: 'unserved', input: { text: 'x', list: [1] }, labels: { zone: 'a' } };
const usage = { tokens: 12 };

const checks = {
  timeout_seconds: 60,
  idle_timeout_seconds: 30,
  first_event_timeout_seconds: 10,
  verify: [['npm', 'test']],
  result_schema: { type: 'object', required: ['n'] },
};
const node = (key: string, ...dependencies: string[]) => ({ key, goal: 'a step', ...details, dependencies, ...checks, retry });

const ofTask = async (world: World) => ({ token: world.key, params: { task_id: (await world.task()).task_id } });
const ofEnded = async (world: World) => ({ token: world.key, params: { task_id: (await world.endedTask()).task_id } });
const ofSubtask = async (world: World) => {
  const { params } = await world.held();
  return { token: world.key, params };
};
const ofWorker = async (world: World) => {
  const { worker_id } = await world.worker();
  return { token: world.key, params: { worker_id } };
};

/** A claim for which a subtask is ready. */
const claim = async (world: World) => {
  const { tool, credential, worker_id } = await world.worker();
  await world.admin.ok.submitTask({ body: { goal: 'to be claimed', tool } });
  return {
    token: credential,
    params: { worker_id },
    body: { claim_request_id: randomUUID(), limit: 2, start: true, tools: [tool], repeated: true },
  };
};

const completion = async (world: World) => {
  const { token, params, fence, worker } = await world.held();
  return { token, params, worker, body: { ...fence, result: { words: 2 }, usage } };
};

/** Valid requests of every operation, each with every field set; created for each call, since many can be sent only once. */
export const SAMPLES: Samples = {
  getRoot: open,
  getOpenapi: open,
  getDocs: open,
  getHealth: open,
  getDatabaseHealth: open,
  getRedisHealth: open,
  getDetailedHealth: open,

  submitTask: {
    'a plain goal': async ({ key }) => ({
      token: key,
      body: { goal: 'count 词语 words', ...details, on_failure: 'continue', priority: 7, timeout_seconds: 600, metadata: { team: 'a' } },
    }),
    'a DAG': async ({ key }) => ({
      token: key,
      body: { goal: 'steps', subtasks: [node('a'), node('b', 'a')], on_failure: 'fail_task', priority: 5, metadata: {} },
    }),
  },
  listTasks: {
    plain: async ({ key }) => ({ token: key }),
    filtered: async (world) => {
      await world.task();
      await world.task();
      const { next_cursor } = await world.admin.ok.listTasks({ query: { limit: 1 } });
      return { token: world.key, query: { status: 'pending', q: 'task', limit: 2, cursor: next_cursor as string } };
    },
  },
  getTask: { plain: ofTask },
  listSubtasks: {
    plain: async (world) => {
      const { token, params } = await ofTask(world);
      const { next_cursor } = await world.admin.ok.listSubtasks({ params, query: { limit: 1 } });
      return { token, params, query: { status: 'blocked', limit: 2, cursor: next_cursor as string } };
    },
  },
  addSubtasks: {
    plain: async (world) => ({ ...(await ofTask(world)), body: { subtasks: [node('third', 'first'), node('fourth', 'third')] } }),
  },
  listEvents: { plain: async (world) => ({ ...(await ofTask(world)), query: { after_seq: 0, limit: 2 } }) },
  updateTask: {
    'by version': async (world) => {
      const { task_id, version } = await world.task();
      return { token: world.key, params: { task_id }, body: { version, priority: 9, metadata: { team: 'b' }, on_failure: 'continue' } };
    },
    'by If-Match': async (world) => {
      const { task_id, version } = await world.task();
      return { token: world.key, params: { task_id }, headers: { 'if-match': `"${version}"` }, body: { priority: 9 } };
    },
  },
  cancelTask: { plain: async (world) => ({ ...(await ofTask(world)), body: { reason: 'no longer wanted' } }) },
  pauseTask: { plain: async (world) => ({ ...(await ofTask(world)), body: {} }) },
  resumeTask: {
    plain: async (world) => {
      const { token, params } = await ofTask(world);
      await world.admin.ok.pauseTask({ params });
      return { token, params, body: {} };
    },
  },
  retryTask: { plain: async (world) => ({ ...(await ofEnded(world)), body: {} }) },
  deleteTask: { plain: ofEnded },

  getSubtask: { plain: ofSubtask },
  listLogs: { plain: async (world) => ({ ...(await ofSubtask(world)), query: { attempt: 1, after_chunk: -1, limit: 2 } }) },
  explainSubtask: { plain: ofSubtask },
  listArtifacts: { plain: ofSubtask },
  getArtifact: {
    plain: async (world) => ({ token: world.key, params: { artifact_id: (await world.stored()).artifact_id } }),
  },
  startSubtask: {
    plain: async (world) => {
      const { worker_id, tool, credential, as } = await world.worker();
      await world.admin.ok.submitTask({ body: { goal: 'to be started', tool } });
      const { claimed } = await as.ok.claimSubtasks({ params: { worker_id }, body: { claim_request_id: randomUUID() } });
      const [{ subtask_id, lease_token, attempt }] = claimed as [(typeof claimed)[number]];
      return { token: credential, params: { subtask_id }, body: { lease_token, attempt } };
    },
  },
  getInput: {
    plain: async (world) => {
      const { token, params } = await world.held();
      return { token, params: { ...params, key: 'first' } };
    },
  },
  appendLogs: {
    plain: async (world) => {
      const { token, params, fence } = await world.held();
      return { token, params, body: { ...fence, chunks: [{ chunk: 0, stream: 'stdout', content: 'printed\n' }] } };
    },
  },
  createArtifact: {
    plain: async (world) => {
      const { token, params, fence } = await world.held();
      const file = { name: 'a/out.txt', content_type: 'text/plain', size_bytes: BYTES.length, sha256: SHA256, artifact_id: randomUUID() };
      return { token, params, body: { ...fence, ...file } };
    },
  },
  storeArtifact: {
    plain: async (world) => {
      const { token, params, fence, artifact_id } = await world.announced();
      return { token, params: { ...params, artifact_id }, body: fence };
    },
  },
  completeSubtask: {
    'by result': completion,
    'by artifact': async (world) => {
      const { token, params, fence, artifact_id } = await world.stored();
      return { token, params, body: { ...fence, result_artifact_id: artifact_id, usage } };
    },
  },
  failSubtask: {
    plain: async (world) => {
      const { token, params, fence } = await world.held();
      return { token, params, body: { ...fence, failure_class: 'tool_error', message: 'it broke', usage } };
    },
  },
  releaseSubtask: {
    plain: async (world) => {
      const { token, params, fence } = await world.held();
      return { token, params, body: { ...fence, reason: 'going home' } };
    },
  },

  createEnrolmentToken: {
    plain: async ({ key }) => ({
      token: key,
      body: { tools: ['exec', 'scripted'], labels: { zone: 'a' }, owner_ids: [randomUUID()], expires_in_seconds: 60 },
    }),
  },
  registerWorker: {
    plain: async (world) => ({
      token: await world.enrolmentToken(),
      body: { name: 'w', machine_name: 'm', tools: ['exec'], slots: 2, agent_version: '1.0.0', registration_id: randomUUID() },
    }),
  },
  listWorkers: {
    plain: async ({ key }) => ({ token: key }),
    filtered: async (world) => {
      await world.worker();
      await world.worker();
      const { next_cursor } = await world.admin.ok.listWorkers({ query: { limit: 1 } });
      return { token: world.key, query: { status: 'online', limit: 2, cursor: next_cursor as string } };
    },
  },
  getWorker: { plain: ofWorker },
  updateWorker: {
    'by version': async (world) => ({
      ...(await ofWorker(world)),
      body: { version: 1, name: 'renamed', labels: { zone: 'b' }, slots: 3, mode: 'draining' },
    }),
    'by If-Match': async (world) => ({ ...(await ofWorker(world)), headers: { 'if-match': '"1"' }, body: { mode: 'paused' } }),
  },
  deleteWorker: { plain: ofWorker },
  heartbeat: {
    plain: async (world) => {
      const { token, fence, worker, it } = await world.held();
      const lease = { subtask_id: it.subtask_id, ...fence, progress: { percent: 40, message: 'on the way' } };
      return { token, params: { worker_id: worker.worker_id }, body: { leases: [lease], slots: 2, info: { cpu_percent: 3 } } };
    },
  },
  claimSubtasks: { plain: claim },
  completeSubtasks: {
    plain: async (world) => {
      const { token, worker, params, body } = await completion(world);
      const next = { claim_request_id: randomUUID(), limit: 1, start: false, tools: ['exec'], repeated: false };
      return { token, params: { worker_id: worker.worker_id }, body: { completions: [{ ...params, ...body }], claim: next } };
    },
    'by artifact': async (world) => {
      const { token, worker, params, fence, artifact_id } = await world.stored();
      const completions = [{ ...params, ...fence, result_artifact_id: artifact_id }];
      return { token, params: { worker_id: worker.worker_id }, body: { completions } };
    },
  },

  createApiKey: { plain: async ({ key }) => ({ token: key, body: { name: 'a key', scopes: [...SCOPES] } }) },
  listDeadLetters: { plain: async ({ key }) => ({ token: key, query: { queue: 'events' } }) },
  redriveDeadLetters: { plain: async ({ key }) => ({ token: key, body: { queue: 'events' } }) },
  createTicket: { plain: async ({ key }) => ({ token: key }) },
  createWorkerTicket: {
    plain: async (world) => {
      const { credential, worker_id } = await world.worker();
      return { token: credential, params: { worker_id } };
    },
  },
  listApiKeys: {
    plain: async (world) => {
      await world.apiKey();
      const { next_cursor } = await world.admin.ok.listApiKeys({ query: { limit: 1 } });
      return { token: world.key, query: { limit: 2, cursor: next_cursor as string } };
    },
  },
  revokeApiKey: {
    plain: async (world) => {
      const { api_key_id } = await world.apiKey();
      return { token: world.key, params: { api_key_id } };
    },
  },
};

export type Variant = { variant: string; make(world: World): Promise<Sample> };

export const variantsOf = (name: string): Variant[] =>
  Object.entries(SAMPLES[name as RouteName] ?? {}).map(([variant, make]) => ({ variant, make }));

/** Sockets need Redis; without it their tickets are refused. */
export const isServed = (operation: string) => !NO_REDIS || !operation.endsWith('Ticket');

export const firstOf = async (world: World, name: string): Promise<Sample> => {
  const [first] = variantsOf(name);
  if (first === undefined) throw new Error(`${name} has no sample; give it one in samples.ts`);
  return first.make(world);
};

export const requestOf = (route: Route, { params, query, body, token, headers = {} }: Sample): RawRequest => ({
  method: route.method,
  path: pathOf(route, params, query),
  body,
  token,
  headers,
});
