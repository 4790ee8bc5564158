import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../local/free-port.ts';
import { endGroup, ROOT, runCommand } from './run.ts';

const VERSION = '1.5.33';
const INSTALL_MS = 300_000;
const READY_MS = 60_000;
const STOP_MS = 5_000;

export type Emulator = {
  endpoint: string;
  /** The environment with which AWS clients use it. */
  env: Record<string, string>;
  log: string;
  stop(): Promise<void>;
};

/** Installs MiniStack into its own virtual environment, which is kept for later runs. */
const install = async (say: (line: string) => void, signal?: AbortSignal): Promise<string> => {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const place = join(cache, 'multi-agent-on-the-web', `ministack-${VERSION}`);
  if (existsSync(join(place, 'installed'))) return join(place, 'bin/ministack');
  say(`installing MiniStack ${VERSION} into ${place}`);
  await rm(place, { recursive: true, force: true });
  const options = { timeoutMs: INSTALL_MS, ...(signal ? { signal } : {}) };
  await runCommand('python3', ['-m', 'venv', place], options);
  await runCommand(join(place, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', `ministack==${VERSION}`], options);
  await writeFile(join(place, 'installing'), '');
  await rename(join(place, 'installing'), join(place, 'installed'));
  return join(place, 'bin/ministack');
};

/** Nothing of this process's environment, because Lambdas inherit the emulator's, including credentials. */
const environment = (folder: string, port: number) => ({
  PATH: [join(ROOT, 'node_modules/.bin'), dirname(process.execPath), process.env.PATH].join(delimiter),
  HOME: folder,
  TMPDIR: join(folder, 'tmp'),
  NODE_NO_WARNINGS: '1',
  BIND_HOST: '127.0.0.1',
  GATEWAY_PORT: String(port),
  IOT_MTLS_ENABLED: '0',
  LAMBDA_ACCOUNT_CONCURRENCY: '40',
});

const becomesReady = async (child: ChildProcess, endpoint: string, log: string) => {
  for (const end = performance.now() + READY_MS; performance.now() < end; await pause(100)) {
    if (child.exitCode !== null) break;
    const answer = await fetch(`${endpoint}/_ministack/health`).catch(() => null);
    if (answer?.ok) return;
  }
  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-8).join('\n');
  throw new Error(`MiniStack does not start; its log ${log} ends with:\n${lines}`);
};

/** Starts MiniStack on a free loopback port; it keeps nothing when it ends. */
export const startEmulator = async (folder: string, say: (line: string) => void, signal?: AbortSignal): Promise<Emulator> => {
  const program = await install(say, signal);
  // Lambdas are unpacked there: below a package of ES modules the emulator's own scripts would not run.
  await mkdir(join(folder, 'tmp'), { recursive: true });
  await writeFile(join(folder, 'tmp/package.json'), '{"type":"commonjs"}');
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const log = join(folder, 'ministack.log');
  const output = await open(log, 'a');
  const child = spawn(program, [], {
    cwd: folder,
    env: environment(folder, port),
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
  });
  await output.close();
  const stop = async () => {
    endGroup(child, 'SIGTERM');
    for (const end = performance.now() + STOP_MS; child.exitCode === null && performance.now() < end; ) await pause(50);
    endGroup(child, 'SIGKILL'); // a hanging custom resource would keep it alive
  };
  try {
    await becomesReady(child, endpoint, log);
  } catch (error) {
    await stop();
    throw error;
  }
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_PROFILE: '',
  };
  return { endpoint, env, log, stop };
};
