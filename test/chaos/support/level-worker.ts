import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Intervals } from '../../../schema/worker.ts';
import { WorkerAgent } from '../../../worker-agent/src/agent/agent.ts';
import { createExec } from '../../../worker-agent/src/tools/exec/exec.ts';
import { scripted } from '../../../worker-agent/src/tools/scripted/scripted.ts';
import { jobSettings } from '../../support/job-settings.ts';

export type Given = { url: string; workerId: string; credential: string; intervals: Intervals; stateDir: string };
export type Levels = { running: number; heapBytes: number; handles: number; files: number; left: number };

const filesIn = (folder: string): number => readdirSync(folder, { recursive: true }).length;

/** What the process holds after garbage collection. */
const levels = async (agent: WorkerAgent, { stateDir }: Given): Promise<Levels> => {
  for (let times = 0; times < 5; times++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50)); // objects that wait for a finalizer are freed by the next collection
  }
  const { heapUsed, external } = process.memoryUsage();
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').catch(() => '');
  return {
    running: agent.running,
    heapBytes: heapUsed + external,
    handles: process.getActiveResourcesInfo().length,
    files: readdirSync('/proc/self/fd').length,
    left: filesIn(stateDir) + children.split(' ').filter(Boolean).length,
  };
};

const given = JSON.parse(process.argv[2] ?? '') as Given;
const exec = createExec({ allow: ['*'], roots: [], logins: [], maxResultBytes: 1_000_000 });
const { stateDir, ...identity } = given;
const settings = jobSettings(join(stateDir, 'workspaces'));
const agent = new WorkerAgent({ ...identity, tools: [scripted, exec], slots: 8, timeoutMs: 5_000, settings });
process.on('message', () => void levels(agent, given).then((it) => process.send?.(it)));
process.on('disconnect', () => process.exit());
await agent.run();
