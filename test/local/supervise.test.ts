import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { supervise } from '../../local/postgres/supervise.ts';
import { until } from '../support/processes.ts';
import { isAlive } from './support/start.ts';

/** Supervises processes that do nothing; `atReady` is called with each process, by its number, just before it counts as ready. */
const supervised = async (atReady: (child: ChildProcess, number: number) => Promise<void> = async () => {}) => {
  const children: ChildProcess[] = [];
  const lines: string[] = [];
  const running = await supervise({
    start: () => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)']);
      children.push(child);
      return child;
    },
    becomesReady: async (child) => {
      await atReady(child, children.length);
      return true;
    },
    reason: () => 'it does not start',
    say: (line) => lines.push(line),
  });
  onTestFinished(() => running.stop());
  return { children, lines, running };
};

const kill = async (child: ChildProcess) => {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
};

describe('a supervised process', () => {
  it('is restarted when it ends by itself', async () => {
    const { children, lines, running } = await supervised();

    process.kill(running.pid(), 'SIGKILL');
    await until('it to be back', () => lines.includes('PostgreSQL is available again'));

    expect(children).toHaveLength(2);
    expect(isAlive(running.pid())).toBe(true);
  });

  it('is restarted when it ends just as it has become ready', async () => {
    const { children, running } = await supervised(async (child, number) => {
      if (number === 1) await kill(child);
    });

    expect(children).toHaveLength(2);
    expect(isAlive(running.pid())).toBe(true);
  });

  it('is not restarted after it is stopped', async () => {
    const { promise: reviving, resolve } = Promise.withResolvers<void>();
    const { children, running } = await supervised(async (child, number) => {
      if (number !== 2) return;
      await kill(child);
      resolve();
    });
    process.kill(running.pid(), 'SIGKILL');
    await reviving;

    await running.stop();

    expect(children).toHaveLength(2);
    expect(children.filter((child) => child.exitCode === null && child.signalCode === null)).toEqual([]);
  });
});
