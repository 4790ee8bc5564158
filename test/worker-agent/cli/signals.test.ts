import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serve } from '../../support/http-server.ts';
import { killAtOnce, run, until } from '../../support/processes.ts';
import { folderForTest } from '../support/agent.ts';

const HELPER = pathToFileURL(join(import.meta.dirname, '../../../worker-agent/src/cli/signals.ts')).href;

/** A process that prints the calls of its worker on `stderr`, and dots on `stdout`; `then` is the code that it runs on drain. */
const workerForTest = async (options: { drainForMs?: number; noticeUrl?: string } = {}, then = '') => {
  const program = `
    import { existsSync } from 'node:fs';
    import { listenToSignals } from '${HELPER}';
    const print = (word) => process.stderr.write(word + '\\n');
    const drain = (why) => {
      print('drain ' + why);
      ${then}
    };
    listenToSignals({ drain, cancel: (why) => print('cancel ' + why) }, ${JSON.stringify(options)});
    print('ready');
    setInterval(() => process.stdout.write('.'), 20);`;
  const running = run(['--input-type=module', '-e', program]);
  onTestFinished(() => running.kill('SIGKILL'));
  const calls = () => running.output().replaceAll('.', '').trim().split('\n').slice(1);
  await until('it to be ready', () => running.output().includes('ready'));
  return { child: running.child, calls };
};

describe.skipIf(process.platform === 'win32')('a worker', () => {
  it('drains at the first Ctrl-C, releases its subtasks at the second and exits at the third, each of which may arrive twice', async () => {
    const { child, calls } = await workerForTest();

    killAtOnce(child, ['SIGINT', 'SIGTERM']);
    await until('the first signal to be handled', () => calls().length > 0);
    const first = calls();
    await until('a signal to count as the second', () => child.kill('SIGINT') && calls().length > 1);
    const second = calls();
    await until('a signal to count as the third', () => (child.kill('SIGINT'), child.exitCode !== null));

    // Pending signals are delivered in any order.
    expect(first).toEqual([expect.stringMatching(/^drain SIG(INT|TERM)$/)]);
    expect(second).toEqual([...first, 'cancel SIGINT']);
    expect(child.exitCode).toBe(130);
  });

  it('counts signals that arrive while its event loop is blocked as one', async () => {
    const go = join(await folderForTest(), 'go');
    const busy = `setImmediate(() => {
      for (const end = performance.now() + 1_000; performance.now() < end || !existsSync(${JSON.stringify(go)}); );
      setTimeout(() => print('idle'), 10);
    });`;
    const { child, calls } = await workerForTest({}, busy);

    child.kill('SIGINT');
    await until('it to be busy', () => calls().length > 0);
    child.kill('SIGTERM');
    await writeFile(go, '');
    await until('it to be idle', () => calls().includes('idle'));

    expect(calls()).toEqual(['drain SIGINT', 'idle']);
  });

  it('treats a termination notice for its machine as the first signal', async () => {
    const { endpoint } = await serve((request, response) => {
      if (request.url?.includes('meta-data') && !request.url.includes('rebalance')) response.statusCode = 404;
      response.end('token');
    });
    const { child, calls } = await workerForTest({ noticeUrl: endpoint });

    await until('it to drain', () => calls().length > 0);
    child.kill('SIGINT');
    await until('the second signal to be handled', () => calls().length > 1);

    expect(calls()).toEqual(['drain the spot instance is likely to be interrupted', 'cancel SIGINT']);
  });

  it('releases its subtasks when draining takes too long', async () => {
    const { child, calls } = await workerForTest({ drainForMs: 50 });

    child.kill('SIGTERM');
    await until('it to release its subtasks', () => calls().length > 1);

    expect(calls()).toEqual(['drain SIGTERM', 'cancel draining took longer than 50 ms']);
  });

  it('releases its subtasks immediately when its terminal is closed, or its output is no longer read', async () => {
    const [closed, unread] = [await workerForTest(), await workerForTest()];

    killAtOnce(closed.child, ['SIGHUP', 'SIGTERM']);
    unread.child.stdout?.destroy();

    await until('the first worker to release its subtasks', () => closed.calls().at(-1) === 'cancel SIGHUP');
    await until('the other worker to release its subtasks', () => unread.calls().at(-1) === 'cancel SIGHUP');
    expect(unread.calls()).toEqual(['cancel SIGHUP']);
  });
});
