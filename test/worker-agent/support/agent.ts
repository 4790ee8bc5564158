import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { WorkerAgent } from '../../../worker-agent/src/agent/agent.ts';
import type { JobSettings } from '../../../worker-agent/src/attempt/job-context.ts';
import type { Redactor } from '../../../worker-agent/src/redaction/redactor.ts';
import { createExec, type ExecSettings } from '../../../worker-agent/src/tools/exec/exec.ts';
import { scripted } from '../../../worker-agent/src/tools/scripted/scripted.ts';
import type { AgentAdapter } from '../../../worker-agent/src/tools/adapter.ts';
import { jobSettings } from '../../support/job-settings.ts';
import type { FakePlatform } from './fake-platform.ts';

/** Long enough for a loaded machine, and less than the timeout of a test. */
const LONG_MS = 18_000;

export const until = <T>(condition: () => T | Promise<T>, timeout = LONG_MS): Promise<T> => vi.waitFor(condition, { timeout, interval: 5 });

/** Waits until a condition holds. */
export const holds = (condition: () => boolean, ms?: number): Promise<void> =>
  until(() => {
    if (!condition()) throw new Error(`does not hold: ${condition}`);
  }, ms);

export const folderForTest = async (): Promise<string> => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'maw-agent-')));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

export type Line = { level: string; event: string } & Record<string, unknown>;
type Given = {
  tools?: AgentAdapter[];
  slots?: number;
  exec?: Partial<ExecSettings>;
  settings?: Partial<JobSettings>;
  redactor?: Redactor;
  timeoutMs?: number;
  /** The folder of an earlier worker that this one replaces. */
  stateDir?: string;
  onCredential?: (credential: string) => void;
};

/** A worker of the fake platform. If it still runs at the end of the test, it is cancelled. */
export const agentForTest = async (platform: FakePlatform, given: Given = {}) => {
  const stateDir = given.stateDir ?? (await folderForTest());
  const workspaces = join(stateDir, 'workspaces');
  const lines: Line[] = [];
  const exec = createExec({ allow: ['*'], roots: [], logins: [], maxResultBytes: 2_000_000, ...given.exec });
  const agent = new WorkerAgent({
    url: platform.url,
    workerId: platform.worker.worker_id,
    credential: platform.worker.credential,
    intervals: platform.intervals,
    tools: given.tools ?? [scripted, exec],
    slots: given.slots ?? 1,
    timeoutMs: given.timeoutMs ?? 5_000,
    settings: { ...jobSettings(workspaces), ...given.settings },
    ...(given.redactor ? { redactor: given.redactor } : {}),
    log: (level, event, fields) => void lines.push({ level, event, ...fields }),
    ...(given.onCredential ? { onCredential: given.onCredential } : {}),
  });
  onTestFinished(async () => {
    agent.cancel('the test is over');
    await running?.catch(() => {});
  });
  let running: Promise<void> | undefined;
  return {
    agent,
    lines,
    stateDir,
    workspaces,
    events: () => lines.map(({ event }) => event),
    run: () => {
      running ??= agent.run();
      return running;
    },
    /** Runs until all queued subtasks have ended. */
    finish: async (ms?: number) => {
      const run = agent.run();
      running = run;
      await holds(
        () =>
          platform.waiting.length === 0 &&
          platform.given.size > 0 &&
          [...platform.given.values()].flat().every((it) => platform.ended.has(it.subtask_id)),
        ms,
      );
      agent.drain('the test wants it');
      await run;
    },
  };
};
