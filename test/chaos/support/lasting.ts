import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { processTable } from '../../../worker-agent/src/process/process-table.ts';

/** Runs until the gate file is removed, next to a child process in its own session. Writes a result and no output. */
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

/** Input for subtasks that run until `release` is called, and the processes that run them. */
export const lastingForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-lasting-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const gate = join(folder, 'gate');
  const pids = join(folder, 'pids');
  await writeFile(gate, '');
  await mkdir(pids);
  return {
    input: { argv: ['node', '-e', PROGRAM, gate, pids] },
    release: () => rm(gate),
    /** The two process ids of each command that was started, including ended ones. */
    commands: async (): Promise<[number, number][]> => {
      const begun = await readdir(pids);
      const others = await Promise.all(begun.map((name) => readFile(join(pids, name), 'utf8')));
      return begun.flatMap((name, at): [number, number][] => (others[at] ? [[Number(name), Number(others[at])]] : []));
    },
  };
};

/** The processes that are running; one that has ended but was not yet reaped does not count. */
export const living = (pids: readonly number[]): number[] => {
  const table = new Set(processTable().map(({ pid }) => pid));
  return pids.filter((pid) => table.has(pid));
};
