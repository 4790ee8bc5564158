import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '../../schema/client/client.ts';
import { LIMITS } from '../../schema/json.ts';
import { ROOT } from './samples.ts';

const STOP_MS = 8_000;

export type Workers = {
  /** Enrols the workers as a person would, each with its own token. Their output goes to files in the folder. */
  start(client: Client, url: string, count: number): Promise<void>;
  /** Prevents any further start. */
  stop(): Promise<void>;
  kill(): void;
};

const stopOne = async (child: ChildProcess) => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
};

/** Worker processes that store everything in `folder`. */
export const createWorkers = (folder: string): Workers => {
  const children: ChildProcess[] = [];
  let stopped = false;
  return {
    start: async (client, url, count) => {
      await mkdir(folder, { recursive: true });
      for (let n = 1; n <= count; n++) {
        const { enrolment_token } = await client.createEnrolmentToken({ body: { tools: ['exec', 'scripted'] } });
        if (stopped) throw new Error('the workers were stopped');
        children.push(startOne(folder, `worker-${n}`, ['--url', url, '--enrol-token', enrolment_token]));
      }
    },
    stop: async () => {
      stopped = true;
      await Promise.all(children.map(stopOne));
    },
    kill: () => children.forEach((child) => child.kill('SIGKILL')),
  };
};

const startOne = (folder: string, name: string, enrolment: readonly string[]): ChildProcess => {
  const flags = [...enrolment, '--name', name, '--state-dir', join(folder, name)];
  const tools = ['--tools', 'exec,scripted', '--exec-allow', 'node', '--exec-root', ROOT];
  const child = spawn(process.execPath, [join(ROOT, 'worker-agent/bin/maw.mjs'), 'worker', 'start', ...flags, ...tools], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32', // a Ctrl-C reaches only the demo, which stops the workers in order
  });
  const log = createWriteStream(join(folder, `${name}.log`));
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  return child;
};

export const waitForWorkers = async (client: Client, count: number, ms: number): Promise<void> => {
  for (const end = performance.now() + ms; ; ) {
    const { items } = await client.listWorkers({ query: { limit: LIMITS.page } });
    if (items.length >= count) return;
    if (performance.now() > end)
      throw new Error(`only ${items.length} of ${count} workers enrolled within ${ms / 1_000} s; see their logs`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
