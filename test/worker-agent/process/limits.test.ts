import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parseOwnMemory, parseRss } from '../../../worker-agent/src/process/process-memory.ts';
import { agentForTest } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';
import { strayForTest } from '../support/strays.ts';

const MIB = 1_048_576;
/** Half of the output that floods the worker. */
const MUCH = 100 * MIB;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const memory = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** How much more memory this process uses than before. Since garbage may be waiting, a large value is measured again after a collection. */
const grown = (before: number): number => {
  if (memory() - before > MUCH) collectGarbage();
  return memory() - before;
};

const carryOut = async (argv: string[], limits: { memoryBytes?: number; outputBytes?: number }) => {
  const platform = await startPlatform();
  const subtask = platform.add({ tool: 'exec', input: { argv } });
  const settings = { limits: { memoryBytes: 1_024 * MIB, outputBytes: 1_024 * MIB, ...limits }, maxLogBytes: 100_000 };
  const worker = await agentForTest(platform, { exec: { maxResultBytes: 1_000_000 }, settings });
  const most = { grown: 0 };
  const before = memory();
  const timer = setInterval(() => {
    if (most.grown < MUCH) most.grown = Math.max(most.grown, grown(before));
  }, 20);
  await worker.finish().finally(() => clearInterval(timer));
  return { failure: platform.ended.get(subtask.subtask_id)?.body, logs: platform.logs.get(subtask.subtask_id) ?? [], most };
};

/** JavaScript that allocates the given amount of memory and keeps it. */
const taking = (mebibytes: number) => `const kept=Buffer.alloc(${mebibytes}*${MIB},1);setInterval(()=>kept,1000)`;

describe.skipIf(process.platform === 'win32')('a command', () => {
  it('is stopped with all its descendants when they use more memory than the worker allows', async () => {
    const { command, pids } = strayForTest();
    const script = `const {spawn}=require("child_process");
      for(let i=0;i<3;i++)spawn(process.execPath,["-e",${JSON.stringify(taking(100))}],{detached:true,stdio:"ignore"});
      spawn("sh",["-c","${command}"],{detached:true,stdio:"ignore"});setInterval(()=>{},1000)`;

    const { failure } = await carryOut([process.execPath, '-e', script], { memoryBytes: 250 * MIB });

    expect(failure).toMatchObject({
      failure_class: 'tool_error',
      message: expect.stringMatching(/used \d+ MiB of memory, more than the 250 MiB .*--max-memory-mb/),
    });
    expect(pids()).toEqual([]);
  });

  it('is not stopped while it stays below the limit', async () => {
    const script = `${taking(100).split(';')[0]};setTimeout(()=>console.log("well"),1500)`;
    const { failure } = await carryOut([process.execPath, '-e', script], { memoryBytes: 250 * MIB });
    expect(failure).toMatchObject({ result: 'well' });
  });

  it('is stopped when it prints more than the worker allows, and its log states that the rest was dropped', async () => {
    const { failure, logs } = await carryOut(['sh', '-c', 'yes & yes >&2'], { outputBytes: 8 * MIB });

    expect(failure).toMatchObject({
      failure_class: 'tool_error',
      message: expect.stringMatching(/printed more than the 8 MiB .*--max-output-mb/),
    });
    expect(logs.at(-1)).toMatchObject({ stream: 'system', content: expect.stringContaining('dropped') });
  });

  it('does not increase the memory of the worker when it floods it with output', async () => {
    const { failure, most } = await carryOut(['sh', '-c', `yes | head -c ${200 * MIB}`], {});

    expect(failure.message).toContain('--max-result-bytes');
    expect(most.grown).toBeLessThan(MUCH);
  });
});

describe('the memory of processes', () => {
  it('is their private memory, including swapped-out memory', () => {
    const status = 'VmRSS:\t   90000 kB\nRssAnon:\t   10 kB\nRssFile:\t   80000 kB\nRssShmem:\t       20 kB\nVmSwap:\t   30 kB\n';
    expect(parseOwnMemory(status)).toBe(60 * 1_024);
  });

  it('is the sum of what ps reports', () => {
    expect(parseRss('  1024\n 2048\n')).toBe(3_072 * 1_024);
    expect(parseRss('')).toBe(0);
  });
});
