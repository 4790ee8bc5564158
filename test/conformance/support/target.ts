import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll } from 'vitest';
import type { QueueName } from '../../../schema/queue.ts';
import { startStandalone } from '../../../local/standalone.ts';
import { type Client, createClient } from '../../../schema/client/client.ts';
import { createDatabase } from '../../support/backend.ts';

/** Where messages are put that nobody would send, to see what becomes of them. */
export type FaultyQueues = { client: SQSClient; urls: Record<QueueName, string>; deadUrls: Record<QueueName, string> };
export type Target = {
  url: string;
  adminKey: string;
  /** Null where nobody may write to the queues: what needs it is skipped. */
  queues: FaultyQueues | null;
  close(): Promise<void>;
};

/** A deployment that runs already, as the environment names it. */
const deployed = (url: string, { CONFORMANCE_ADMIN_KEY: adminKey, CONFORMANCE_QUEUES: queues }: NodeJS.ProcessEnv): Target => {
  if (!adminKey) throw new Error('CONFORMANCE_URL needs CONFORMANCE_ADMIN_KEY, an API key with all scopes');
  const named = queues ? (JSON.parse(queues) as Pick<FaultyQueues, 'urls' | 'deadUrls'>) : null;
  // Emulators name their queues by an address that they are not reached at.
  const client = new SQSClient({ useQueueUrlAsEndpoint: !process.env.AWS_ENDPOINT_URL });
  return { url: url.replace(/\/+$/, ''), adminKey, queues: named && { client, ...named }, close: async () => client.destroy() };
};

/** Clocks with which a failed message comes again at once. */
const QUICK = { BUSY_HEARTBEAT_MS: '500', IDLE_HEARTBEAT_MS: '1000', CLAIM_POLL_MS: '100' };
/** With this a lost lease is noticed within seconds; it is longer than a process stands still on a busy machine. */
export const SHORT_LEASE = { LEASE_MS: '6000' };

const home = async (clocks: Record<string, string>): Promise<Target> => {
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
export const IS_HOME = !CONFORMANCE_URL;
/** Whether messages can be put into the queues. */
export const HAS_QUEUES = IS_HOME || Boolean(process.env.CONFORMANCE_QUEUES);

/** A lease of a deployment is a minute long, and its clock goes each minute. */
export const NOTICED_MS = 200_000;

export type Owner = { url: string; token: string; client: Client; owner_id: string };

/**
 * What a file of the suite runs against, with an owner of its own: the deployment at CONFORMANCE_URL, or else a home on this machine,
 * which may have clocks of its own.
 * Files share a deployment; workers that take the work of their own owner only keep them apart.
 */
export const targetForFile = (clocks: Record<string, string> = {}) => {
  let target: Target;
  let owner: Owner;
  beforeAll(async () => {
    target = CONFORMANCE_URL ? deployed(CONFORMANCE_URL, process.env) : await home(clocks);
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
