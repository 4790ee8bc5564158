import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { writeDurably } from './durable-file.ts';
import { processTable } from '../process/process-table.ts';

const Owner = z.object({ pid: z.int(), born: z.string(), health_port: z.int().default(0) });
type Owner = z.output<typeof Owner>;

const LOCK_LASTS_MS = 10_000;
const LOOK_MS = 20;

/** The start time of a process in the system's own format, which distinguishes it from a later one with the same pid. Empty if unknown. */
const bornAt = (pid: number): string => processTable().find((it) => it.pid === pid)?.born ?? '';

const isRunning = ({ pid, born }: Pick<Owner, 'pid' | 'born'>): boolean => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return born === '' || ['', born].includes(bornAt(pid));
};

const isLocked = async (lock: string): Promise<boolean> => {
  try {
    await writeFile(lock, '', { flag: 'wx', mode: 0o600 });
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }));
  if (Math.abs(Date.now() - mtimeMs) > LOCK_LASTS_MS) await rm(lock, { force: true });
  return true;
};

/** Runs short work under a lock file, one process at a time. The lock of a process that ended without releasing it expires. */
const withLock = async <T>(lock: string, work: () => Promise<T>): Promise<T> => {
  while (await isLocked(lock)) await setTimeout(LOOK_MS);
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
};

/** Records which process runs a worker, so that no second one starts and other commands can make it drain. */
export class PidFile {
  readonly #path: string;

  constructor(statePath: string) {
    this.#path = statePath.replace(/\.json$/, '.pid');
  }

  /** The process that runs the worker now and its health port (0: none), or null. */
  async owner(): Promise<{ pid: number; health_port: number } | null> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    const owner = Owner.safeParse(safeJson(text));
    return owner.success && isRunning(owner.data) ? owner.data : null;
  }

  /** The process that runs the worker now, or null. */
  async running(): Promise<number | null> {
    return (await this.owner())?.pid ?? null;
  }

  /** Takes the file for this process and returns null, or returns the pid of the process that already has it. */
  async take(healthPort = 0): Promise<number | null> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    return withLock(`${this.#path}.lock`, async () => {
      const pid = await this.running();
      if (pid !== null) return pid;
      await writeDurably(this.#path, JSON.stringify({ pid: process.pid, born: bornAt(process.pid), health_port: healthPort }));
      return null;
    });
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
