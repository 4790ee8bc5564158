// Plain JavaScript without dependencies: bootstrap.mjs needs it before anything is installed.
import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/**
 * When a process started, as text; null if there is none with this id. Distinguishes a process from a later one with the same id.
 * @param {number} pid
 * @returns {string | null}
 */
const startOf = (pid) => {
  try {
    if (process.platform === 'linux') {
      const [state, ...rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
      return state === 'Z' ? null : rest[18];
    }
    if (process.platform === 'win32') return process.kill(pid, 0) ? 'running' : null;
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
};

/** @param {string} path */
const contentOf = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** @param {string} content */
const runningOwner = (content) => {
  const [, pid, started] = /^(\d+) (.+)$/.exec(content.trim()) ?? [];
  return pid !== undefined && startOf(Number(pid)) === started ? Number(pid) : null;
};

/** @param {() => void} action @param {string} ignoredCode the error code that counts as already done */
const succeeds = (action, ignoredCode) => {
  try {
    action();
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === ignoredCode) return false;
    throw error;
  }
};

/**
 * Removes the lock of a process that was killed. If another process has already replaced it with its own lock, that one is restored.
 * @param {string} path
 * @param {string} seen
 */
const removeDead = (path, seen) => {
  const aside = `${path}.${process.pid}.dead`;
  if (!succeeds(() => renameSync(path, aside), 'ENOENT')) return;
  if (contentOf(aside) !== seen) succeeds(() => linkSync(aside, path), 'EEXIST');
  rmSync(aside, { recursive: true, force: true });
};

/**
 * Takes a lock: a file that names its owner. The lock of a dead owner is taken over. Returns the id of the running process that holds
 * the lock, or null if this process now holds it. The file is linked into place, so that it is never seen without its owner; to release
 * the lock, delete the file.
 * @param {string} path
 * @returns {number | null}
 */
export const takeLock = (path) => {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${process.pid} ${startOf(process.pid) ?? ''}\n`);
  try {
    for (;;) {
      if (succeeds(() => linkSync(own, path), 'EEXIST')) return null;
      const seen = contentOf(path);
      const owner = runningOwner(seen);
      if (owner !== null) return owner;
      removeDead(path, seen);
    }
  } finally {
    rmSync(own, { force: true });
  }
};
