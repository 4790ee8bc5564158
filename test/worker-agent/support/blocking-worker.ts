import { join } from 'node:path';
// A worker of the fake platform in its own process. Its tool starts a command and then blocks the main thread.
import { existsSync } from 'node:fs';
import { WorkerAgent } from '../../../worker-agent/src/agent/agent.ts';
import { adapterThat } from '../../support/adapter.ts';
import { jobSettings } from '../../support/job-settings.ts';

const { url, worker, intervals, stateDir, stallMs, pidFile, blockMs } = JSON.parse(process.argv[2] ?? '');

const program = `require('fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setTimeout(() => {}, 120_000)`; // outlives every test, but ends eventually

const block = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const blocking = adapterThat(async (host) => {
  const command = host.spawn('node', ['-e', program], { cwd: host.workspace, env: { PATH: process.env.PATH ?? '' } });
  while (!existsSync(pidFile)) await new Promise((resolve) => setTimeout(resolve, 20));
  block(blockMs);
  console.log('unblocked');
  const ended = await Promise.race([command.then(() => false), new Promise((resolve) => setTimeout(() => resolve(true), 500))]);
  return { command: ended };
});

const agent = new WorkerAgent({
  url,
  workerId: worker.worker_id,
  credential: worker.credential,
  intervals,
  tools: [blocking],
  slots: 1,
  timeoutMs: 5_000,
  stallMs,
  WebSocket: null,
  settings: { ...jobSettings(stateDir), spoolFolder: join(stateDir, 'spool') },
  log: (...line) => console.log(JSON.stringify(line)),
});
await agent.run();
