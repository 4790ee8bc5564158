import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openPool } from '../functions/platform/pool.ts';
import { freePort } from './free-port.ts';
import { choosePlace, type Place } from './postgres/account.ts';
import { lockFolder } from './postgres/lock.ts';
import { stopOrphan } from './postgres/orphan.ts';
import { hasEnded, supervise } from './postgres/supervise.ts';

export type PostgresOptions = {
  /** Folder of the database, its password and its log; created if it does not exist. */
  folder: string;
  /** `test` trades durability for speed. */
  profile?: 'durable' | 'test';
  say?: (line: string) => void;
};
export type RunningPostgres = {
  url: string;
  /** Where the database is stored; not always inside the requested folder, see choosePlace. */
  folder: string;
  pid(): number;
  stop(): Promise<void>;
};

const READY_MS = 30_000;

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

/** Starts the PostgreSQL that is installed with the dependencies, and restarts it whenever it ends by itself. */
export const startPostgres = async ({ folder, profile = 'durable', say = () => {} }: PostgresOptions): Promise<RunningPostgres> => {
  const place = choosePlace(folder, say);
  const unlock = lockFolder(place.folder);
  try {
    const password = initialize(place, profile, say);
    await stopOrphan(dataOf(place), say);
    const port = await freePort();
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    const { pid, stop } = await supervise({
      start: () => launch(place, port, { ...SHARED_SETTINGS, ...SETTINGS[profile] }),
      becomesReady: (child) => becomesReady(child, url),
      reason: () => `PostgreSQL does not start; its log ${logOf(place)} ends with:\n${lastLines(logOf(place))}`,
      say,
    });
    return { url, folder: place.folder, pid, stop: () => stop().finally(unlock) };
  } catch (error) {
    unlock();
    throw error;
  }
};

const dataOf = (place: Place) => join(place.folder, 'data');
const logOf = (place: Place) => join(place.folder, 'postgres.log');
const passwordOf = (place: Place) => join(place.folder, 'password');

const initialize = (place: Place, profile: keyof typeof SETTINGS, say: (line: string) => void): string => {
  const path = passwordOf(place);
  if (existsSync(join(dataOf(place), 'PG_VERSION'))) return readFileSync(path, 'utf8').trim();
  say('creating a new database');
  rmSync(dataOf(place), { recursive: true, force: true }); // remains of an interrupted initialization
  const password = randomBytes(24).toString('hex');
  writeFileSync(path, `${password}\n`, { mode: 0o600 });
  if (place.account.uid !== undefined) chownSync(path, place.account.uid, place.account.gid);
  const flags = ['--pgdata', dataOf(place), '--username', 'postgres', '--auth', 'scram-sha-256', '--pwfile', path, '--no-instructions'];
  const locale = ['--encoding', 'UTF8', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--locale', 'C'];
  const speed = profile === 'test' ? ['--no-sync'] : [];
  const made = spawnSync(place.binaries.initdb, [...flags, ...locale, ...speed], {
    ...place.account,
    cwd: place.folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (made.status !== 0) throw new Error(`The database could not be created in ${place.folder}:\n${made.stderr || made.error?.message}`);
  return password;
};

/** In its own session, so that a Ctrl-C at the terminal does not stop it before the platform has finished. */
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
  child.on('error', () => {}); // an exit event follows; the failure is reported with the log
  return child;
};

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

/** Returns false if the process ended before it accepted connections. */
const becomesReady = async (child: ChildProcess, url: string): Promise<boolean> => {
  for (const end = performance.now() + READY_MS; performance.now() < end; await pause(20)) {
    if (hasEnded(child)) return false;
    if (await answers(url)) return true;
  }
  throw new Error(`PostgreSQL did not answer within ${READY_MS / 1_000} s`);
};

const lastLines = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
