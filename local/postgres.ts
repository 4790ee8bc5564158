import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openPool } from '../functions/platform/postgres.ts';
import { freePort } from './free-port.ts';
import { choosePlace, type Place } from './postgres/account.ts';
import { commandOf, lockFolder } from './postgres/lock.ts';

export type PostgresOptions = {
  /** Keeps the database, its password and its log; made when it is not there. */
  folder: string;
  /** `test` gives up durability for speed. */
  profile?: 'durable' | 'test';
  say?: (line: string) => void;
};
export type RunningPostgres = {
  url: string;
  /** Where it lies; not always below the folder that was asked for, see choosePlace. */
  folder: string;
  pid(): number;
  stop(): Promise<void>;
};

const READY_MS = 30_000;
const STOP_MS = 10_000;
const RESTARTS = 40;

const SETTINGS = {
  durable: { max_connections: '100', shared_buffers: '128MB', max_wal_size: '1GB', checkpoint_timeout: '15min' },
  test: { max_connections: '150', fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
};
const SHARED_SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  jit: 'off',
  autovacuum_naptime: '10s',
  log_timezone: 'UTC',
};

/** Starts the PostgreSQL that came with the dependencies, and starts it again whenever it ends by itself. */
export const startPostgres = async ({ folder, profile = 'durable', say = () => {} }: PostgresOptions): Promise<RunningPostgres> => {
  const place = choosePlace(folder, say);
  const unlock = lockFolder(place.folder);
  try {
    const password = initialize(place, say);
    await stopOrphan(place, say);
    const port = await freePort();
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    return await supervise(() => launch(place, port, { ...SHARED_SETTINGS, ...SETTINGS[profile] }), url, place, { say, unlock });
  } catch (error) {
    unlock();
    throw error;
  }
};

const dataOf = (place: Place) => join(place.folder, 'data');
const logOf = (place: Place) => join(place.folder, 'postgres.log');
const passwordOf = (place: Place) => join(place.folder, 'password');

const initialize = (place: Place, say: (line: string) => void): string => {
  const path = passwordOf(place);
  if (existsSync(join(dataOf(place), 'PG_VERSION'))) return readFileSync(path, 'utf8').trim();
  say('making a new database');
  rmSync(dataOf(place), { recursive: true, force: true }); // what an initialization that was cut off left
  const password = randomBytes(24).toString('hex');
  writeFileSync(path, `${password}\n`, { mode: 0o600 });
  if (place.account.uid !== undefined) chownSync(path, place.account.uid, place.account.gid);
  const flags = ['--pgdata', dataOf(place), '--username', 'postgres', '--auth', 'scram-sha-256', '--pwfile', path, '--no-instructions'];
  const locale = ['--encoding', 'UTF8', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--locale', 'C'];
  const made = spawnSync(place.binaries.initdb, [...flags, ...locale], {
    ...place.account,
    cwd: place.folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (made.status !== 0) throw new Error(`The database could not be made in ${place.folder}:\n${made.stderr || made.error?.message}`);
  return password;
};

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A Postgres whose home was killed goes on alone; it is stopped, so that this home has its own. */
const stopOrphan = async (place: Place, say: (line: string) => void) => {
  const path = join(dataOf(place), 'postmaster.pid');
  if (!existsSync(path)) return;
  const pid = Number(readFileSync(path, 'utf8').split('\n')[0]);
  if (!isAlive(pid) || !commandOf(pid).includes('postgres')) return;
  say(`stopping the PostgreSQL (process ${pid}) that an earlier run left behind`);
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    process.kill(pid, signal);
    for (let waited = 0; waited < STOP_MS && isAlive(pid); waited += 20) await pause(20);
    if (!isAlive(pid)) return;
  }
};

/** In a session of its own, so that a Ctrl-C meant for the home leaves it time to finish. */
const launch = (place: Place, port: number, settings: Record<string, string>): ChildProcess => {
  const log = openSync(logOf(place), 'a');
  const flags = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const options = {
    ...place.account,
    cwd: dirname(dataOf(place)),
    detached: process.platform !== 'win32',
    stdio: ['ignore', log, log] as const,
  };
  const child = spawn(place.binaries.postgres, ['-D', dataOf(place), ...flags], { ...options, stdio: [...options.stdio] });
  closeSync(log);
  child.on('error', () => {}); // an exit follows, and is told with the log
  return child;
};

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

const answers = async (url: string): Promise<boolean> => {
  const sql = openPool(url, { connectMs: 2_000 });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end();
  }
};

/** False when the process ended before it answered. */
const becomesReady = async (child: ChildProcess, url: string): Promise<boolean> => {
  for (const end = performance.now() + READY_MS; performance.now() < end; await pause(20)) {
    if (hasEnded(child)) return false;
    if (await answers(url)) return true;
  }
  throw new Error(`PostgreSQL did not answer within ${READY_MS / 1_000} s`);
};

const lastLines = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n').slice(-8).join('\n');

type Care = { say: (line: string) => void; unlock: () => void };

const supervise = async (start: () => ChildProcess, url: string, place: Place, { say, unlock }: Care): Promise<RunningPostgres> => {
  let child = start();
  let stopping = false;
  /** After a kill, old children may still hold its memory for a moment: a start that fails is repeated. */
  const bringUp = async () => {
    for (let tries = 1; !(await becomesReady(child, url)); tries++) {
      if (stopping) return;
      if (tries > RESTARTS) throw new Error(`PostgreSQL does not start; its log ${logOf(place)} ends with:\n${lastLines(logOf(place))}`);
      await pause(Math.min(50 * tries, 1_000));
      child = start();
    }
    child.once('exit', revive);
  };
  const revive = (code: number | null, signal: string | null) => {
    if (stopping) return;
    say(`PostgreSQL ended (${signal ?? `exit code ${code}`}); starting it again`);
    child = start();
    bringUp().then(
      () => say('PostgreSQL is back'),
      (error: Error) => say(error.message),
    );
  };
  await bringUp();
  return {
    url,
    folder: place.folder,
    pid: () => child.pid ?? 0,
    stop: async () => {
      stopping = true;
      await end(child);
      unlock();
    },
  };
};

const end = async (child: ChildProcess) => {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
};
