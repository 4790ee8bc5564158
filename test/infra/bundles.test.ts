import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { build } from '../../infra/build.ts';
import { createDatabase } from '../support/backend.ts';
import { until } from '../support/processes.ts';
import { request, socketEvent, sqsEvent } from './support/event.ts';
import { LAMBDAS } from '../../infra/lambdas.ts';

const run = promisify(execFile);
const MOST_BYTES = 700_000;

const NOWHERE = '127.0.0.1:1';
let folder: string;
const sources = new Map<string, string[]>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'maw-bundles-'));
  for (const name of LAMBDAS) sources.set(name, await build(name, join(folder, name)));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bundleOf = (name: string) => join(folder, name, 'index.mjs');

/** The variables of a Lambda; every service that it could reach has the same address. */
const variables = (address: string) => ({
  DATABASE_URL: `postgres://nobody@${address}/none`,
  SECRET_KEY: 's'.repeat(64),
  PUBLIC_URL: 'https://api.example',
  SOCKET_ENDPOINT: `http://${address}/ws`,
  UPSTASH_REDIS_REST_URL: `http://${address}`,
  UPSTASH_REDIS_REST_TOKEN: 'token',
  SUBTASKS_QUEUE_URL: `http://${address}/1/subtasks`,
  SUBTASKS_DEAD_QUEUE_URL: `http://${address}/1/subtasks-dead`,
  EVENTS_QUEUE_URL: `http://${address}/1/events`,
  EVENTS_DEAD_QUEUE_URL: `http://${address}/1/events-dead`,
  ARTIFACTS_URL: `http://${address}/artifacts`,
  AWS_REGION: 'eu-central-1',
});

/** Calls the handler of a bundle in a plain process that has the Lambda's variables and nothing else. */
const invoke = async (name: string, event: object = {}, env: Record<string, string> = {}) => {
  const args = [join(import.meta.dirname, 'support/runtime.ts'), bundleOf(name), JSON.stringify(event)];
  const { stdout } = await run(process.execPath, args, { cwd: folder, env: { ...variables(NOWHERE), ...env }, timeout: 60_000 });
  return JSON.parse(stdout);
};

/** Processor time, which hardly depends on other processes. */
const IMPORT =
  'const began = process.cpuUsage(); await import(process.argv[1]); const { user, system } = process.cpuUsage(began); console.log((user + system) / 1000); process.exit()';
/** The shortest of five runs, because other processes run here too. */
const importMs = async (name: string): Promise<number> => {
  const times: number[] = [];
  while (times.length < 5) {
    const args = ['--input-type=module', '-e', IMPORT, bundleOf(name)];
    times.push(Number((await run(process.execPath, args, { env: variables(NOWHERE), timeout: 60_000 })).stdout));
  }
  return Math.min(...times);
};

/** A server that counts connections and closes each one. */
const countingServer = async () => {
  let calls = 0;
  const server = createServer((socket) => {
    calls++;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { env: variables(`127.0.0.1:${(server.address() as AddressInfo).port}`), calls: () => calls };
};

describe('a bundle', { timeout: 180_000 }, () => {
  const databaseUrl = async () => {
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    return database.url;
  };

  it('of person-api looks up the caller in its database', async () => {
    const stranger = { ...request('/api/v1/tasks'), headers: { authorization: 'Bearer mak_unknown' } };

    const answer = await invoke('person-api', stranger, { DATABASE_URL: await databaseUrl() });

    expect([answer.statusCode, JSON.parse(answer.body).detail]).toEqual([401, 'The API key is unknown or has been revoked']);
  });

  it('of person-api answers without a database, and reports that it is unavailable', async () => {
    const [root, health] = await Promise.all([invoke('person-api', request('/')), invoke('person-api', request('/api/v1/health'))]);

    expect(root.statusCode).toBe(200);
    expect([health.statusCode, JSON.parse(health.body).services.database]).toEqual([503, 'disconnected']);
  });

  it('of person-api answers an unknown route with a problem', async () => {
    const answer = await invoke('person-api', { ...request('/nowhere'), routeKey: '$default' });

    expect([answer.statusCode, answer.headers['content-type']]).toEqual([404, 'application/problem+json']);
  });

  it('of person-api accepts null for an absent part of the event, as emulators of API Gateway send it', async () => {
    const nothing = { queryStringParameters: null, pathParameters: null, body: null };

    expect((await invoke('person-api', { ...request('/'), ...nothing })).statusCode).toBe(200);
  });

  it('of worker-api requires a credential', async () => {
    const worker = '00000000-0000-7000-8000-000000000000';

    const answer = await invoke('worker-api', request(`/api/v1/workers/${worker}/claim`, 'POST'));

    expect([answer.statusCode, JSON.parse(answer.body).code]).toEqual([401, 'unauthenticated']);
  });

  it('of the tick sweeps', async () => {
    expect(await invoke('tick', {}, { DATABASE_URL: await databaseUrl() })).toMatchObject({ reaped: 0, expired: 0 });
  });

  it('of socket refuses a client without a ticket without any request; with a ticket it queries Redis', async () => {
    const outside = await countingServer();

    expect(await invoke('socket', socketEvent('CONNECT'), outside.env)).toEqual({ statusCode: 401 });
    expect(outside.calls()).toBe(0);

    expect(await invoke('socket', socketEvent('CONNECT', { ticket: 'unknown' }), outside.env)).toEqual({ statusCode: 401 });
    await until('Redis to be asked', () => outside.calls() > 0);
  });

  it.each(['dispatch', 'broadcast'])('of %s reports a message that it cannot read as failed, and sends no request', async (name) => {
    const outside = await countingServer();

    const answer = await invoke(name, sqsEvent('not JSON'), outside.env);

    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'message-0' }] });
    expect(outside.calls()).toBe(0);
  });

  it('is one file of bounded size that contains only the backend and its packages', async () => {
    for (const name of LAMBDAS) {
      const { size } = await stat(bundleOf(name));
      const made = sources.get(name) ?? [];

      console.log(
        `bundle of ${name}: ${Math.round(size / 1_000)} kB, imported in ${Math.round(await importMs(name))} ms of processor time`,
      );
      expect((await readdir(join(bundleOf(name), '..'))).filter((file) => file !== 'schema')).toEqual(['index.mjs']);
      expect(size).toBeLessThan(MOST_BYTES);
      expect(await readFile(bundleOf(name), 'utf8')).toContain('postgres 3.4.9 is repaired');
      expect(made).toContain(`functions/${name}.lambda.ts`);
      expect(new Set(made.map((path) => path.split('/')[0]))).toEqual(new Set(['functions', 'node_modules', 'schema']));
    }
  });
});
