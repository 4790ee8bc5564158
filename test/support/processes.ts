import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from '../../local/free-port.ts';
import { type Client, createClient } from '../../schema/client/client.ts';
import { DEAD_REDIS, NO_REDIS } from './redis-kind.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Polls until `check` returns something other than null, undefined or false, and returns that. `what` is for the error after `ms`. */
export const until = async <T>(
  what: string,
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  ms = 60_000,
): Promise<T> => {
  const end = performance.now() + ms;
  for (;;) {
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
};

export { freePort };

export type Running = { child: ChildProcess; output: () => string; kill(signal: NodeJS.Signals): Promise<void> };

export const run = (args: readonly string[], env: Record<string, string> = {}): Running => {
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const ended = once(child, 'exit');
  return {
    child,
    output: () => output,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await ended;
    },
  };
};

/** Sends several signals so that the process handles none of them before all have been sent, however slow this process is. */
export const killAtOnce = (child: ChildProcess, signals: readonly NodeJS.Signals[]): void => {
  for (const signal of ['SIGSTOP', ...signals, 'SIGCONT'] as const) child.kill(signal);
};

/** A system of real processes: the server as `npm start` runs it, and workers started with the `maw` command. */
export const startSystem = async (env: Record<string, string> = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-system-'));
  await chmod(folder, 0o711); // as root, Postgres runs as another user, which needs access to its data inside this folder
  const data = join(folder, 'data');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const quick = {
    LEASE_MS: '3000',
    BUSY_HEARTBEAT_MS: '600',
    IDLE_HEARTBEAT_MS: '1000',
    CLAIM_POLL_MS: '60',
    ...(NO_REDIS ? { REDIS_URL: DEAD_REDIS } : {}),
    ...env,
  };
  const startServer = async () => {
    const server = run(['local/start.ts', '--data', data, '--port', String(port)], quick);
    await until('the server to be healthy', async () => {
      if (server.child.exitCode !== null) throw new Error(`the server ended:\n${server.output()}`);
      return (await fetch(`${url}/api/v1/health`).catch(() => null))?.status === 200;
    });
    return server;
  };
  const workers: (Running & { name: string })[] = [];
  let named = 0;
  let server = await startServer();
  onTestFinished(async () => {
    for (const { child } of [server, ...workers]) child.kill('SIGCONT');
    await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
    await server.kill('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });
  const adminKey = (await readFile(join(data, 'admin-key'), 'utf8')).trim();
  const admin: Client = createClient({ url, token: adminKey });
  return {
    url,
    data,
    admin,
    adminKey,
    workers,
    server: () => server,
    /** The Postgres in the data folder of the server. Its process and port change with each start. */
    postgres: async () => {
      const [pid, , , postgresPort] = (await readFile(join(data, 'postgres/data/postmaster.pid'), 'utf8')).split('\n');
      const password = (await readFile(join(data, 'postgres/password'), 'utf8')).trim();
      return { pid: Number(pid), url: `postgres://postgres:${password}@127.0.0.1:${postgresPort}/postgres` };
    },
    restartServer: async () => {
      server = await startServer();
    },
    addWorker: async (flags: readonly string[] = [], env: Record<string, string> = {}) => {
      const name = `w${named++}`;
      const { enrolment_token } = await admin.createEnrolmentToken({ body: { tools: ['exec', 'scripted'] } });
      const args = [
        'worker-agent/bin/maw.mjs',
        'worker',
        'start',
        '--url',
        url,
        '--enrol-token',
        enrolment_token,
        '--name',
        name,
        '--state-dir',
        join(folder, name),
        '--tools',
        'exec,scripted',
        '--exec-allow',
        '*',
        ...flags,
      ];
      const worker = run(args, env);
      workers.push({ ...worker, name });
      return worker;
    },
  };
};
export type System = Awaited<ReturnType<typeof startSystem>>;
