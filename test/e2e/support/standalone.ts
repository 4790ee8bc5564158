import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startStandalone } from '../../../local/standalone.ts';
import { type Client, createClient } from '../../../schema/client/client.ts';
import { WorkerAgent } from '../../../worker-agent/src/agent/agent.ts';
import { createExec } from '../../../worker-agent/src/tools/exec/exec.ts';
import { scripted } from '../../../worker-agent/src/tools/scripted/scripted.ts';
import type { AgentAdapter } from '../../../worker-agent/src/tools/adapter.ts';
import { createDatabase } from '../../support/backend.ts';
import { jobSettings } from '../../support/job-settings.ts';
import { startTcpProxy } from '../../../bench/support/tcp-proxy.ts';
import { freePort } from '../../support/processes.ts';
import { realRedisUrl } from '../../support/redis.ts';
import { DEAD_REDIS, NO_REDIS, PATIENCE_MS, REDIS } from '../../support/redis-kind.ts';

/** Intervals so long that a test which depends on polling fails: whatever happens sooner was pushed. */
export const SLOW = { CLAIM_POLL_MS: '60000', BUSY_HEARTBEAT_MS: '60000', IDLE_HEARTBEAT_MS: '60000', LEASE_MS: '600000' };

const redisVariables = async (): Promise<Record<string, string>> => {
  if (NO_REDIS) return { REDIS_URL: DEAD_REDIS };
  return REDIS === 'server' ? { REDIS_URL: await realRedisUrl() } : {};
};

const TOOLS = [scripted, createExec({ allow: ['*'], roots: [], logins: [], maxResultBytes: 1_000_000 })];

/** The whole platform in this process for the current test, behind a proxy whose connections tests can cut. */
export const standaloneForTest = async (env: Record<string, string> = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-standalone-'));
  const database = await createDatabase();
  const port = await freePort();
  const proxy = await startTcpProxy({ host: '127.0.0.1', port });
  const url = `http://127.0.0.1:${proxy.port}`;
  const variables = { PATH: '', ...(await redisVariables()), ...env, DATABASE_URL: database.url };
  const open = () => startStandalone({ folder, port, publicUrl: url, env: variables, log: () => {}, redisPatienceMs: PATIENCE_MS });
  let standalone = await open();
  const agents: { agent: WorkerAgent; run: Promise<void> }[] = [];
  onTestFinished(async () => {
    for (const { agent } of agents) agent.cancel('the test is over');
    await Promise.all(agents.map(({ run }) => run.catch(() => {})));
    await proxy.close();
    await standalone.close();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });
  const client: Client = createClient({ url, token: standalone.adminKey });
  return {
    url,
    adminKey: standalone.adminKey,
    client,
    proxy,
    restart: async (between: () => Promise<void> = async () => {}) => {
      await standalone.close();
      await between();
      standalone = await open();
    },
    /** A worker that is enrolled and runs; `events` are the lines of its log. */
    addWorker: async ({ slots = 1, tools = TOOLS }: { slots?: number; tools?: readonly AgentAdapter[] } = {}) => {
      const { enrolment_token } = await client.createEnrolmentToken({ body: { tools: ['scripted', 'exec'] } });
      const name = `w${agents.length}`;
      const registered = await createClient({ url, token: enrolment_token }).registerWorker({
        body: { name, machine_name: 'test', tools: ['scripted', 'exec'], slots },
      });
      const events: string[] = [];
      const agent = new WorkerAgent({
        url,
        workerId: registered.worker.worker_id,
        credential: registered.credential,
        intervals: registered.intervals,
        tools,
        slots,
        timeoutMs: 5_000,
        settings: { ...jobSettings(join(folder, name)), reportForMs: 60_000 },
        log: (_, event) => void events.push(event),
      });
      agents.push({ agent, run: agent.run() });
      return { agent, events, worker_id: registered.worker.worker_id };
    },
  };
};
