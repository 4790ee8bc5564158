import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll } from 'vitest';
import type { QueueName } from '../../../schema/queue.ts';
import { startStandalone } from '../../../local/standalone.ts';
import { type Client, createClient } from '../../../schema/client/client.ts';
import { createDatabase } from '../../support/backend.ts';

/** Queues into which tests put faulty messages. */
export type FaultyQueues = { client: SQSClient; urls: Record<QueueName, string>; deadUrls: Record<QueueName, string> };
export type Target = {
  url: string;
  adminKey: string;
  /** Null where tests cannot write to the queues; tests that need them are skipped. */
  queues: FaultyQueues | null;
  close(): Promise<void>;
};

/** A running deployment that the environment describes. */
const deployed = (url: string, { CONFORMANCE_ADMIN_KEY: adminKey, CONFORMANCE_QUEUES: queues }: NodeJS.ProcessEnv): Target => {
  if (!adminKey) throw new Error('CONFORMANCE_URL needs CONFORMANCE_ADMIN_KEY, an API key with all scopes');
  const parsed = queues ? (JSON.parse(queues) as Pick<FaultyQueues, 'urls' | 'deadUrls'>) : null;
  // The queue URLs of emulators have an address at which they cannot be reached.
  const client = new SQSClient({ useQueueUrlAsEndpoint: !process.env.AWS_ENDPOINT_URL });
  return { url: url.replace(/\/+$/, ''), adminKey, queues: parsed && { client, ...parsed }, close: async () => client.destroy() };
};

/** Short intervals, so that tests take little time. */
const QUICK = { BUSY_HEARTBEAT_MS: '500', IDLE_HEARTBEAT_MS: '1000', CLAIM_POLL_MS: '100' };
/** With this lease a lost worker is noticed within seconds. Longer than a busy machine may leave a process without CPU time. */
export const SHORT_LEASE = { LEASE_MS: '6000' };

const standalone = async (clocks: Record<string, string>): Promise<Target> => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-conformance-'));
  const database = await createDatabase();
  const env = { PATH: '', ...QUICK, ...clocks, DATABASE_URL: database.url };
  const started = await startStandalone({ folder, env, redeliverSeconds: 0.2, log: () => {} });
  const { urls, deadUrls, ...at } = started.queues;
  const client = new SQSClient({ ...at, useQueueUrlAsEndpoint: false } satisfies SQSClientConfig);
  return {
    url: started.url,
    adminKey: started.adminKey,
    queues: { client, urls, deadUrls },
    close: async () => {
      client.destroy();
      await started.close();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const { CONFORMANCE_URL } = process.env;
const IS_STANDALONE = !CONFORMANCE_URL;
/** Whether messages can be put into the queues. */
export const HAS_QUEUES = IS_STANDALONE || Boolean(process.env.CONFORMANCE_QUEUES);

/** Time to notice a lost lease in a deployment, where leases last a minute and the schedule runs each minute. */
export const NOTICED_MS = 200_000;

export type Owner = { url: string; token: string; client: Client; owner_id: string };

/**
 * The target of a test file: the deployment at CONFORMANCE_URL, or else a standalone installation on this machine with the given
 * intervals. Each file has its own owner. Files share a deployment, and are isolated because workers take only the work of their owner.
 */
export const targetForFile = (clocks: Record<string, string> = {}) => {
  let target: Target;
  let owner: Owner;
  beforeAll(async () => {
    target = CONFORMANCE_URL ? deployed(CONFORMANCE_URL, process.env) : await standalone(clocks);
    owner = await newOwner(target);
  }, 120_000);
  afterAll(() => target?.close());
  return { target: () => target, owner: () => owner };
};

export const adminOf = ({ url, adminKey }: Target): Client => createClient({ url, token: adminKey });

const newOwner = async (target: Target): Promise<Owner> => {
  const body = { name: 'conformance', scopes: ['tasks:read', 'tasks:write', 'workers:read', 'workers:write', 'keys:write'] as const };
  const { api_key: token, owner_id } = await adminOf(target).createApiKey({ body: { ...body, scopes: [...body.scopes] } });
  return { url: target.url, token, client: createClient({ url: target.url, token }), owner_id };
};
