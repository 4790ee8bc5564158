import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serve } from '../../support/http-server.ts';
import { killAtOnce, run, until } from '../../support/processes.ts';
import { folderForTest } from '../support/agent.ts';

const HELPER = pathToFileURL(join(import.meta.dirname, '../../../worker-agent/src/cli/signals.ts')).href;

/** A process that tells on `stderr` what its worker is told, and prints dots; `then` is what it does when it is to drain. */
const workerForTest = async (options: { drainForMs?: number; noticeUrl?: string } = {}, then = '') => {
  const program = `
    import { existsSync } from 'node:fs';
    import { listenToSignals } from '${HELPER}';
    const tell = (word) => process.stderr.write(word + '\\n');
    const drain = (why) => {
      tell('drain ' + why);
      ${then}
    };
    listenToSignals({ drain, cancel: (why) => tell('cancel ' + why) }, ${JSON.stringify(options)});
    tell('ready');
    setInterval(() => process.stdout.write('.'), 20);`;
  const running = run(['--input-type=module', '-e', program]);
  onTestFinished(() => running.kill('SIGKILL'));
  const told = () => running.output().replaceAll('.', '').trim().split('\n').slice(1);
  await until('it to be ready', () => running.output().includes('ready'));
  return { child: running.child, told };
};

describe.skipIf(process.platform === 'win32')('a worker', () => {
  it('drains at the first Ctrl-C, gives its work back at the second and ends at the third, each of which may come twice', async () => {
    const { child, told } = await workerForTest();

    killAtOnce(child, ['SIGINT', 'SIGTERM']);
    await until('it to have heard the first', () => told().length > 0);
    const first = told();
    await until('it to hear one as a second', () => child.kill('SIGINT') && told().length > 1);
    const second = told();
    await until('it to hear one as a third', () => (child.kill('SIGINT'), child.exitCode !== null));

    // Signals that wait together come in any order.
    expect(first).toEqual([expect.stringMatching(/^drain SIG(INT|TERM)$/)]);
    expect(second).toEqual([...first, 'cancel SIGINT']);
    expect(child.exitCode).toBe(130);
  });

  it('takes what comes while it is too busy to hear of it for the same one', async () => {
    const go = join(await folderForTest(), 'go');
    const busy = `setImmediate(() => {
      for (const end = performance.now() + 1_000; performance.now() < end || !existsSync(${JSON.stringify(go)}); );
      setTimeout(() => tell('idle'), 10);
    });`;
    const { child, told } = await workerForTest({}, busy);

    child.kill('SIGINT');
    await until('it to be busy', () => told().length > 0);
    child.kill('SIGTERM');
    await writeFile(go, '');
    await until('it to be idle', () => told().includes('idle'));

    expect(told()).toEqual(['drain SIGINT', 'idle']);
  });

  it('takes a notice that its machine is to be taken away for the first signal', async () => {
    const { endpoint } = await serve((request, response) => {
      if (request.url?.includes('meta-data') && !request.url.includes('rebalance')) response.statusCode = 404;
      response.end('token');
    });
    const { child, told } = await workerForTest({ noticeUrl: endpoint });

    await until('it to drain', () => told().length > 0);
    child.kill('SIGINT');
    await until('it to hear a second', () => told().length > 1);

    expect(told()).toEqual(['drain the spot instance is likely to be interrupted', 'cancel SIGINT']);
  });

  it('gives its work back when draining takes longer than it may', async () => {
    const { child, told } = await workerForTest({ drainForMs: 50 });

    child.kill('SIGTERM');
    await until('it to be over', () => told().length > 1);

    expect(told()).toEqual(['drain SIGTERM', 'cancel it drained for 50 ms']);
  });

  it('gives its work back at once when its terminal is closed, or its output is not read any more', async () => {
    const [closed, unread] = [await workerForTest(), await workerForTest()];

    killAtOnce(closed.child, ['SIGHUP', 'SIGTERM']);
    unread.child.stdout?.destroy();

    await until('the one to have heard it', () => closed.told().at(-1) === 'cancel SIGHUP');
    await until('the other to have heard it', () => unread.told().at(-1) === 'cancel SIGHUP');
    expect(unread.told()).toEqual(['cancel SIGHUP']);
  });
});
