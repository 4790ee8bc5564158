import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startStandalone } from '../local/standalone.ts';
import { type Client, createClient } from '../schema/client/client.ts';
import { WorkerAgent } from '../worker-agent/src/agent/agent.ts';
import type { AgentOptions } from '../worker-agent/src/agent/agent-options.ts';
import { scripted } from '../worker-agent/src/tools/scripted/scripted.ts';

/** The time between claims of a worker without a doorbell; the default, 2 s, suits databases that are billed by use. */
export const POLL_MS = 1_000;
const LONGEST_MS = 60_000;

/** How long subtasks were ready before a waiting worker had started them, in ms by the clock of PostgreSQL. */
export type Latencies = { rung: number[]; polling: number[] };

const settingsOf = (workspaces: string): AgentOptions['settings'] => ({
  workspaces,
  keepWorkspaces: false,
  isolation: { kind: 'env' },
  limits: { memoryBytes: 1e9, outputBytes: 1e9 },
  killGraceMs: 100,
  idleTimeoutSeconds: 0,
  firstEventTimeoutSeconds: 0,
  commands: { allow: [], roots: [] },
  maxLogBytes: 1e6,
  maxResultBytes: 1e6,
  reportForMs: 60_000,
  spoolFolder: `${workspaces}-spool`,
  maxSpoolBytes: 10_000_000,
});

const agentOf = async (client: Client, url: string, workspaces: string, isRung: boolean) => {
  const { enrolment_token } = await client.createEnrolmentToken({ body: { tools: ['scripted'] } });
  const body = { name: 'bench', machine_name: 'bench', tools: ['scripted'], slots: 1 };
  const { worker, credential, intervals } = await createClient({ url, token: enrolment_token }).registerWorker({ body });
  let socketOpened: (() => void) | null = null;
  const live = new Promise<void>((resolve) => {
    socketOpened = resolve;
  });
  const agent = new WorkerAgent({
    url,
    workerId: worker.worker_id,
    credential,
    intervals,
    tools: [scripted],
    slots: 1,
    timeoutMs: 5_000,
    settings: settingsOf(workspaces),
    log: (_, event) => void (event === 'push.began' && socketOpened?.()),
    ...(isRung ? {} : { WebSocket: null }),
  });
  const running = agent.run();
  if (isRung) await live;
  return {
    stop: async () => {
      agent.cancel('the bench is over');
      await running;
    },
  };
};

const completed = async (client: Client, task_id: string) => {
  for (const end = performance.now() + LONGEST_MS; performance.now() < end; await pause(10)) {
    const { items } = await client.listEvents({ params: { task_id } });
    if (items.at(-1)?.type === 'task.completed') return items;
  }
  throw new Error(`no worker ran the task within ${LONGEST_MS} ms`);
};

const dispatchOne = async (client: Client): Promise<number> => {
  await pause(Math.random() * POLL_MS); // so that it arrives at a random moment between two claims
  const { task_id } = await client.submitTask({ body: { goal: 'now' } });
  const events = await completed(client, task_id);
  const at = (type: string) => Date.parse(events.find((event) => event.type === type)?.created_at ?? '');
  return at('subtask.started') - at('task.submitted');
};

/** A standalone installation in this process with one waiting worker, with and without a doorbell. */
export const measureDispatch = async (databaseUrl: string, count: number): Promise<Latencies> => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-bench-'));
  const env = { PATH: '', DATABASE_URL: databaseUrl, CLAIM_POLL_MS: String(POLL_MS) };
  const standalone = await startStandalone({ folder, env, log: () => {} });
  const client = createClient({ url: standalone.url, token: standalone.adminKey });
  const measure = async (isRung: boolean) => {
    const { stop } = await agentOf(client, standalone.url, join(folder, String(isRung)), isRung);
    const latencies: number[] = [];
    while (latencies.length < count) latencies.push(await dispatchOne(client));
    await stop();
    return latencies;
  };
  try {
    return { rung: await measure(true), polling: await measure(false) };
  } finally {
    await standalone.close();
    await rm(folder, { recursive: true, force: true });
  }
};
