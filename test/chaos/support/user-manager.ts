import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { until } from '../../support/processes.ts';

const MANAGER = '/lib/systemd/systemd';
/** The user manager needs its own control groups and a sign that systemd runs. Both exist only inside its namespace. */
const APART = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run && mkdir -p /run/systemd/system';
const UNSHARE = ['--mount', '--cgroup', '--fork', 'sh', '-c'];

/** Whether a test can start its own systemd on this machine. */
export const hasUserManager = (): boolean =>
  existsSync(MANAGER) && process.getuid?.() === 0 && spawnSync('unshare', [...UNSHARE, APART], { stdio: 'ignore' }).status === 0;

/** A systemd user manager whose home folder is `home`. */
export const startUserManager = async (home: string) => {
  const runtime = join(home, 'runtime');
  await mkdir(runtime, { mode: 0o700 });
  const own = { HOME: home, XDG_RUNTIME_DIR: runtime, XDG_CONFIG_HOME: join(home, '.config'), XDG_STATE_HOME: join(home, '.state') };
  const env = { ...process.env, ...own };
  const systemctl = async (...words: string[]) => (await promisify(execFile)('systemctl', ['--user', ...words], { env })).stdout.trim();
  const manager = spawn('unshare', [...UNSHARE, `${APART}; exec ${MANAGER} --user`], { env, stdio: 'ignore' });
  const ended = once(manager, 'exit');
  onTestFinished(async () => {
    await systemctl('exit').catch(() => {});
    await ended;
  });
  await until('the manager to run', () => systemctl('list-units').catch(() => null));
  return {
    env: own,
    systemctl,
    property: (unit: string, name: string) => systemctl('show', unit, '--property', name, '--value'),
  };
};
