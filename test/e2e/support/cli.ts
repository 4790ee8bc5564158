import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Client, createClient } from '../../../schema/client/client.ts';
import { freePort, run, type Running, until } from '../../support/processes.ts';

export type Ended = { code: number; out: string; error: string };

/** A running system with its own home folder, and the `maw` command as a person uses it. */
export const personForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-person-'));
  await chmod(folder, 0o711);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const data = join(folder, 'data');
  const server = run(['local/start.ts', '--data', data, '--port', String(port)], { DATABASE_URL: '', MAW_PUBLIC_URL: '' });
  const running: Running[] = [];
  onTestFinished(async () => {
    await Promise.all(running.map((it) => it.kill('SIGKILL')));
    await server.kill('SIGTERM');
  });
  await until('the system to be ready', () => {
    if (server.child.exitCode !== null) throw new Error(`the server ended:\n${server.output()}`);
    return server.output().includes('Ctrl-C stops it.');
  });
  const key = (await readFile(join(data, 'admin-key'), 'utf8')).trim();
  const url = `http://127.0.0.1:${port}`;
  const env = { MAW_URL: url, MAW_API_KEY: key, MAW_POLL_MS: '50', MAW_CONFIG: '', HOME: folder, XDG_STATE_HOME: '', NO_COLOR: '1' };
  const start = (args: readonly string[], more: Record<string, string> = {}) => {
    const started = run(['worker-agent/bin/maw.mjs', ...args], { ...env, ...more });
    running.push(started);
    return started;
  };
  const client: Client = createClient({ url, token: key });
  return {
    folder,
    url,
    env,
    client,
    start,
    maw: (args: readonly string[], more: Record<string, string> = {}) => ended(start(args, more)),
    enrolToken: async (tools: string[]) => (await client.createEnrolmentToken({ body: { tools } })).enrolment_token,
  };
};
export type Person = Awaited<ReturnType<typeof personForTest>>;

/** Starts a worker with the tools scripted and exec; exec may run node. */
export const startWorker = async (person: Person) => {
  const token = await person.enrolToken(['scripted', 'exec']);
  return person.start(['worker', 'start', '--tools', 'scripted,exec', '--exec-allow', 'node', '--enrol-token', token]);
};

/** Waits until a process has ended, and returns its exit code and output. */
export const ended = async ({ child, output }: Running): Promise<Ended> => {
  let out = '';
  let error = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (error += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code === null) throw new Error(`the process was killed; its output:\n${output()}`);
  return { code, out, error };
};

export const lines = ({ out }: Ended): unknown[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
