import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cdk, readOutputs } from './cdk.ts';
import { type Emulator, startEmulator } from './emulator.ts';
import { putSecret, readSecret } from './secrets.ts';
import { type Services, startServices } from './services.ts';

const DATABASE_SECRET = 'multi-agent-on-the-web/database-url';
const REDIS_SECRET = 'multi-agent-on-the-web/redis';
const ACCOUNT = 'aws://000000000000/us-east-1';
const BOOTSTRAP_MS = 120_000;
const DEPLOY_MS = 300_000;

export type Deployed = {
  adminKey: string;
  outputs: Record<string, string>;
  emulator: Emulator;
  /** Whether the emulator was started here and ends with this process. */
  isOurs: boolean;
  stop(): Promise<void>;
};
type Options = {
  say: (line: string) => void;
  signal: AbortSignal;
  /** Wraps the services, for example with counters. */
  around?: (services: Services) => Promise<Services>;
};

/** The arguments for the CDK command line. */
export const deployTo = (endpoint: string): string[] => {
  const context = ['-c', 'target=local', '-c', `emulator=${endpoint}`, '-c', `redis=secretsmanager:${REDIS_SECRET}`];
  return ['deploy', '--all', '--method', 'direct', '--require-approval', 'never', '--ci', '--progress', 'events', ...context];
};

const deploy = async (folder: string, { databaseUrl, redis }: Services, emulator: Emulator, { say, signal }: Options) => {
  Object.assign(process.env, emulator.env); // for the clients of this process; from here on nothing goes to AWS
  await putSecret(DATABASE_SECRET, databaseUrl);
  await putSecret(REDIS_SECRET, JSON.stringify({ url: redis.url, token: redis.token }));
  const env = { ...emulator.env, CDK_OUTDIR: join(folder, 'cdk.out') };
  say('bootstrapping');
  await cdk(['bootstrap', ACCOUNT, '--app', '', '--ci', '--quiet'], { env, signal, timeoutMs: BOOTSTRAP_MS });
  say('deploying');
  const file = join(folder, 'outputs.json');
  await cdk([...deployTo(emulator.endpoint), '--outputs-file', file, '--output', env.CDK_OUTDIR], { env, signal, timeoutMs: DEPLOY_MS });
  return readOutputs(file);
};

const startAll = async (folder: string, closers: (() => Promise<void>)[], { say, signal, around = async (it) => it }: Options) => {
  say('starting Postgres, Redis and MiniStack');
  await mkdir(join(folder, 'redis'));
  const services = await around(await startServices(join(folder, 'redis')));
  closers.push(() => services.stop());
  const emulator = await startEmulator(folder, say, signal);
  closers.push(() => emulator.stop());
  return { services, emulator };
};

const given = (name: string): string => {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`AWS_ENDPOINT_URL names an emulator, so ${name} must be set too: its Lambdas must reach it`);
};

/** The services that are already running, if the environment names an emulator. */
const fromEnvironment = (endpoint: string): { services: Services; emulator: Emulator } => {
  const key = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_PROFILE: '' };
  return {
    services: {
      databaseUrl: given('DATABASE_URL'),
      redis: {
        url: given('UPSTASH_REDIS_REST_URL'),
        token: given('UPSTASH_REDIS_REST_TOKEN'),
        counted: () => ({ requests: 0, commands: 0 }),
      },
      stop: async () => {},
    },
    emulator: { endpoint, env: { AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'us-east-1', ...key }, log: '', stop: async () => {} },
  };
};

/**
 * Deploys the stack to an emulator with a PostgreSQL and a Redis: those that AWS_ENDPOINT_URL, DATABASE_URL and UPSTASH_REDIS_REST_*
 * name, or all started here until this process ends.
 */
export const deployToEmulator = async (options: Options): Promise<Deployed> => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-deployed-'));
  const closers = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    const endpoint = process.env.AWS_ENDPOINT_URL?.replace(/\/+$/, '');
    const { services, emulator } = endpoint ? fromEnvironment(endpoint) : await startAll(folder, closers, options);
    const outputs = await deploy(folder, services, emulator, options);
    return { adminKey: await readSecret(outputs.AdminKeySecret ?? ''), outputs, emulator, isOurs: !endpoint, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
