import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';

const Owner = z.object({ pid: z.int(), born: z.string(), health_port: z.int().default(0) });
type Owner = z.output<typeof Owner>;

/** When a process was started, as the system counts it: tells it from a later one with the same number. Empty where that cannot be read. */
const bornAt = async (pid: number): Promise<string> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
};

const lives = async ({ pid, born }: Pick<Owner, 'pid' | 'born'>): Promise<boolean> => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return (await bornAt(pid)) === born;
};

/** Says which process runs a worker, so that a second one does not start and so that it can be told to drain. */
export class PidFile {
  readonly #path: string;

  constructor(statePath: string) {
    this.#path = statePath.replace(/\.json$/, '.pid');
  }

  /** The process that runs the worker now and where it tells its health (0: nowhere), or null. */
  async owner(): Promise<{ pid: number; health_port: number } | null> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    const owner = Owner.safeParse(safeJson(text));
    return owner.success && (await lives(owner.data)) ? owner.data : null;
  }

  /** The process that runs the worker now, or null. */
  async running(): Promise<number | null> {
    return (await this.owner())?.pid ?? null;
  }

  /** Answers the process that has it already, or null when it is ours now. */
  async take(healthPort = 0): Promise<number | null> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const owner = JSON.stringify({ pid: process.pid, born: await bornAt(process.pid), health_port: healthPort });
    for (let tries = 1; tries <= 3; tries++) {
      try {
        await writeFile(this.#path, owner, { flag: 'wx', mode: 0o600 });
        return null;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const pid = await this.running();
      if (pid !== null) return pid;
      await rm(this.#path, { force: true });
    }
    throw new Error(`${this.#path} cannot be taken; is another worker starting just now?`);
  }

  async release(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

const safeJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};
