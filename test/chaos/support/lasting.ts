import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { processTable } from '../../../worker-agent/src/process/process-table.ts';

/** Waits until the gate is gone, with a process in a session of its own beside it; leaves a result and no output. */
const PROGRAM = `
  const { spawn } = require('child_process');
  const { existsSync, writeFileSync } = require('fs');
  const [, gate, pids] = process.argv;
  const other = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  writeFileSync(pids + '/' + process.pid, String(other.pid));
  const wait = () => {
    if (existsSync(gate)) return setTimeout(wait, 50);
    other.kill();
    writeFileSync(process.env.MAW_RESULT_FILE, 'true');
  };
  wait();`;

/** Work that lasts until `letGo`, and the processes that carry it out. */
export const lastingForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-lasting-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const gate = join(folder, 'gate');
  const pids = join(folder, 'pids');
  await writeFile(gate, '');
  await mkdir(pids);
  return {
    input: { argv: ['node', '-e', PROGRAM, gate, pids] },
    letGo: () => rm(gate),
    /** The processes of each command that has begun, also when they have ended. */
    commands: async (): Promise<[number, number][]> => {
      const begun = await readdir(pids);
      const others = await Promise.all(begun.map((name) => readFile(join(pids, name), 'utf8')));
      return begun.flatMap((name, at): [number, number][] => (others[at] ? [[Number(name), Number(others[at])]] : []));
    },
  };
};

/** Which of these processes live; one that has ended and that nobody has collected does not. */
export const living = (pids: readonly number[]): number[] => {
  const table = new Set(processTable().map(({ pid }) => pid));
  return pids.filter((pid) => table.has(pid));
};
