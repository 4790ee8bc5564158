import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Env } from '../schema/env.ts';
import { SETTINGS } from './database.ts';

type Child<T> = T & { stop(): Promise<void> };

const start = async <T>(file: string, variables: Record<string, string>): Promise<Child<T>> => {
  const child = fork(join(import.meta.dirname, file), { env: { ...process.env, ...variables } });
  const ended = once(child, 'exit');
  const failed = ended.then(() => Promise.reject(new Error(`${file} ended before it was ready`)));
  const [ready] = (await Promise.race([once(child, 'message'), failed])) as [T];
  failed.catch(() => {});
  return {
    ...ready,
    stop: async () => {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
};

/** The HTTP side alone: no queues, no Redis, no sockets, no clock. */
export const startServer = ({ DATABASE_URL, SECRET_KEY }: Env) =>
  start<{ url: string }>('server.ts', { ...SETTINGS, DATABASE_URL, SECRET_KEY });

/** The whole platform as one machine has it. */
export const startStandalone = async (databaseUrl: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-bench-'));
  const variables = { DATABASE_URL: databaseUrl, BENCH_FOLDER: folder, LOG_LEVEL: 'error' };
  const { stop, ...standalone } = await start<{ url: string; adminKey: string }>('standalone.ts', variables);
  return {
    ...standalone,
    stop: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
