import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort, run, type Running, until } from '../../support/processes.ts';
import { PATIENCE_MS } from '../../support/redis-kind.ts';

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** The command lines with `text` in them; only Linux tells them. */
export const commandsWith = async (text: string): Promise<string[]> => {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return commands.filter((command) => command.includes(text)).map((command) => command.replaceAll('\0', ' '));
};

/** Answers the exit code of a process, once it has ended. */
export const exitOf = ({ child, output }: Running): Promise<number> =>
  until(`the process to end; it said: ${output()}`, () => child.exitCode !== null && { code: child.exitCode }).then(({ code }) => code);

/** A data folder of its own, and `npm start` in it as often as the test likes; whatever still runs at the end is stopped. */
export const installationForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-start-'));
  await chmod(folder, 0o711); // Postgres runs as another user when this is root, and must be able to pass
  const data = join(folder, 'data');
  const port = await freePort();
  const started: Running[] = [];
  onTestFinished(async () => {
    for (const each of started) await each.kill('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    folder,
    data,
    port,
    url,
    start: (flags: readonly string[] = [], env: Record<string, string> = {}): Running => {
      const unset = { DATABASE_URL: '', MAW_DATA: '', MAW_PORT: '', MAW_PUBLIC_URL: '', PUBLIC_URL: '' };
      const patient = { HEALTH_MS: String(PATIENCE_MS) };
      const each = run(['local/start.ts', '--data', data, '--port', String(port), ...flags], { ...unset, ...patient, ...env });
      started.push(each);
      return each;
    },
    ready: (each: Running) =>
      until('the system to be ready', () => {
        if (each.child.exitCode !== null) throw new Error(`it ended:\n${each.output()}`);
        return each.output().includes('Ctrl-C stops it.');
      }),
    adminKey: async () => (await readFile(join(data, 'admin-key'), 'utf8')).trim(),
    postgresPid: async () => Number((await readFile(join(data, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0]),
    processes: () => commandsWith(data),
  };
};
export type TestInstallation = Awaited<ReturnType<typeof installationForTest>>;
