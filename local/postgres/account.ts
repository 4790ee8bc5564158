import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Binaries, copyBinaries, findBinaries } from './binaries.ts';

/** The account that PostgreSQL runs under: it refuses to run as root. */
type Account = { uid: number; gid: number } | Record<string, never>;
export type Place = { binaries: Binaries; folder: string; account: Account };

const SHARED = '/var/lib/multi-agent-on-the-web';

const unprivileged = (): { uid: number; gid: number } => {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const user = users.find(([it]) => it === name);
    if (user) return { uid: Number(user[2]), gid: Number(user[3]) };
  }
  throw new Error(
    'PostgreSQL does not run as root and this machine has no user postgres or nobody; start as an ordinary user, or set DATABASE_URL',
  );
};

const canRun = (file: string, account: Account) => spawnSync(file, ['--version'], { ...account, cwd: '/' }).status === 0;
const canEnter = (folder: string, account: Account) =>
  spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...account, cwd: '/' }).status === 0;

const own = (folder: string, account: Account) => {
  mkdirSync(folder, { recursive: true });
  if (account.uid !== undefined) chownSync(folder, account.uid, account.gid);
  chmodSync(folder, 0o700);
};

/** The name is stored in the folder: removing the folder, and the admin key with it, leads to a new database. */
const nameOf = (folder: string): string => {
  const path = join(folder, 'place');
  if (!existsSync(path)) writeFileSync(path, randomUUID());
  return readFileSync(path, 'utf8').trim();
};

/**
 * Chooses where the database is stored and which account runs it. If this process is root, PostgreSQL runs as another user; a folder
 * that this user cannot reach (a checkout under /root) is replaced by one under /var/lib.
 */
export const choosePlace = (folder: string, say: (line: string) => void): Place => {
  const wanted = join(resolve(folder), 'postgres');
  if (process.getuid?.() !== 0) {
    own(wanted, {});
    return { binaries: findBinaries(), folder: wanted, account: {} };
  }
  const account = unprivileged();
  const found = findBinaries();
  own(wanted, account);
  const reachable = canEnter(wanted, account);
  const runnable = canRun(found.postgres, account);
  if (!reachable || !runnable) {
    mkdirSync(SHARED, { recursive: true, mode: 0o755 });
    say(`PostgreSQL runs as user ${account.uid}, who cannot reach this folder: the database is stored under ${SHARED}`);
  }
  const place = reachable ? wanted : join(SHARED, nameOf(wanted));
  own(place, account);
  return { binaries: runnable ? found : copyBinaries(SHARED), folder: place, account };
};
