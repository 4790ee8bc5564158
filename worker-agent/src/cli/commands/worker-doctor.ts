import { access, constants, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ApiError, createClient, isTransient } from '../../../../schema/client/client.ts';
import type { Command } from '../command.ts';
import type { Config } from '../settings.ts';
import { hashOf } from '../../agent/state-file.ts';
import { ENROL_AGAIN, EXIT } from '../../terminal/command-error.ts';
import type { Io } from '../../terminal/io.ts';
import type { Check } from '../../tools/adapter.ts';
import { checkIsolation } from '../check-isolation.ts';
import { stateFileOf, toolsOf, WORKER_SETTINGS } from '../worker-setup.ts';

const SKEW_WARN_MS = 5_000;

const checkNode = (): Check =>
  process.features.typescript || Number(process.versions.node.split('.')[0]) >= 22
    ? { level: 'ok', message: `Node ${process.versions.node}` }
    : {
        level: 'warn',
        message: `Node ${process.versions.node} is older than the versions that this program is tested with`,
        next: 'use Node 24',
      };

const checkFolder = async ({ state_dir }: Config): Promise<Check> => {
  const folder = resolve(state_dir);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return { level: 'ok', message: `state folder ${folder} is writable` };
  } catch (error) {
    return {
      level: 'fail',
      message: `state folder ${folder}: ${(error as Error).message}`,
      next: 'choose another folder with --state-dir',
    };
  }
};

/** How far this clock is ahead of the server's, by the Date header (whole seconds); null without that header. */
const skewOf = (date: string | null, sentAt: number, receivedAt: number): number | null => {
  const server = Date.parse(date ?? '');
  if (Number.isNaN(server)) return null;
  if (server + 1_000 < sentAt) return sentAt - server;
  return server > receivedAt ? receivedAt - server : 0;
};

const checkClock = (date: string | null, sentAt: number): Check => {
  const skew = skewOf(date, sentAt, Date.now());
  if (skew === null)
    return {
      level: 'warn',
      message: 'clock: the platform does not report its time',
      next: 'nothing to do; leases use the clock of the platform',
    };
  if (Math.abs(skew) <= SKEW_WARN_MS) return { level: 'ok', message: 'clock agrees with the platform' };
  return {
    level: 'warn',
    message: `clock is ${Math.round(skew / 1_000)} s ${skew > 0 ? 'ahead of' : 'behind'} the platform's`,
    next: 'turn on time synchronisation (NTP)',
  };
};

const checkServer = async ({ url, timeout_ms }: Config): Promise<Check[]> => {
  const sentAt = Date.now();
  let date: string | null = null;
  const recordingFetch: typeof fetch = async (...given) => {
    const response = await fetch(...given);
    date = response.headers.get('date');
    return response;
  };
  try {
    const health = await createClient({ url, timeoutMs: timeout_ms, fetch: recordingFetch }).getHealth();
    return [{ level: 'ok', message: `platform at ${url}: ${health.app} ${health.version}, ${health.status}` }, checkClock(date, sentAt)];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const next =
      error.status === 0
        ? 'check that the platform is running at this address, or set another one with --url'
        : 'check --url, and ask the operator of the platform';
    return [{ level: 'fail', message: error.message, next }];
  }
};

const notEnrolled = (token: string | undefined): Check =>
  token === undefined
    ? {
        level: 'fail',
        message: 'credential: this worker is not enrolled',
        next: ENROL_AGAIN,
      }
    : { level: 'ok', message: 'credential: the worker will enrol with its token at its first start' };

const checkCredential = async (config: Config): Promise<Check> => {
  const state = await stateFileOf(config)
    .read()
    .catch((error: Error) => error);
  if (state instanceof Error)
    return { level: 'fail', message: state.message, next: 'check that file, or choose another folder with --state-dir' };
  const isNewToken = config.enrol_token !== undefined && hashOf(config.enrol_token) !== state?.token_hash;
  if (!state?.worker_id || isNewToken) return notEnrolled(config.enrol_token);
  const client = createClient({ url: config.url, token: state.credential, timeoutMs: config.timeout_ms });
  try {
    await client.heartbeat({ params: { worker_id: state.worker_id }, body: {} });
    return { level: 'ok', message: `credential: enrolled as ${state.worker_id}` };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { message } = error;
    if (isTransient(error))
      return {
        level: 'warn',
        message: `credential: enrolled as ${state.worker_id}, not checked: ${message}`,
        next: 'wait until the platform responds',
      };
    return {
      level: 'fail',
      message: `credential: ${message}`,
      next: ENROL_AGAIN,
    };
  }
};

/** Checks everything that a worker needs: this machine, the platform and the tools. */
export const checksOf = async (config: Config, file: string | null): Promise<Check[]> => {
  const probes = Promise.all(toolsOf(config).map((tool) => tool.probe()));
  const [folder, isolation, server, credential, tools] = await Promise.all([
    checkFolder(config),
    checkIsolation(config, file),
    checkServer(config),
    checkCredential(config),
    probes,
  ]);
  return [checkNode(), folder, ...isolation, ...server, credential, ...tools.flat()];
};

export const showChecks = (io: Io, checks: readonly Check[]): void => {
  for (const check of checks) io.out(lineOf(check, (level) => io.paint(TONES[level], level.padEnd(4))));
};

export const hasFailed = (checks: readonly Check[]): boolean => checks.some(({ level }) => level === 'fail');

export const workerDoctor: Command = {
  name: 'worker doctor',
  args: '',
  summary: 'Check everything that a worker needs; exit code 1 if a check fails',
  minArgs: 0,
  maxArgs: 0,
  settings: [...WORKER_SETTINGS, 'json'],
  options: {},
  run: async ({ config, loaded, io }) => {
    const checks = await checksOf(config, loaded.file);
    if (config.json) io.out(JSON.stringify({ checks }));
    else showChecks(io, checks);
    return hasFailed(checks) ? EXIT.failed : EXIT.ok;
  },
};

const TONES = { ok: 'good', warn: 'strong', fail: 'bad' } as const;

const lineOf = ({ level, message, next }: Check, mark: (level: Check['level']) => string): string =>
  `${mark(level)}  ${message}${next === undefined ? '' : `\n      next: ${next}`}`;
