import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { killAtOnce, run, until } from '../support/processes.ts';

const HELPER = pathToFileURL(join(import.meta.dirname, '../../local/stop-signals.ts')).href;

/** A program that reports each request on `stderr` and keeps running; `then` is what it does when it is asked to stop. */
const programForTest = async (then = '') => {
  const program = `
    import { existsSync } from 'node:fs';
    import { onStopSignals } from '${HELPER}';
    const report = (word) => process.stderr.write(word + '\\n');
    const stop = () => {
      report('stop');
      ${then}
    };
    onStopSignals({ stop, force: () => report('force') });
    report('ready');
    setInterval(() => process.stdout.write('.'), 20);`;
  const running = run(['--input-type=module', '-e', program]);
  onTestFinished(() => running.kill('SIGKILL'));
  const reports = () => running.output().replaceAll('.', '').trim().split('\n');
  await until('it to be ready', () => reports()[0] === 'ready');
  return { child: running.child, reports };
};

describe.skipIf(process.platform === 'win32')('a program that is asked to stop', () => {
  it('treats simultaneous requests as one, and a later one as a second', async () => {
    const { child, reports } = await programForTest();

    killAtOnce(child, ['SIGHUP', 'SIGTERM', 'SIGINT']);
    await until('the first to be handled', () => reports().length > 1);
    const first = reports();
    await until('one to count as a second', () => child.kill('SIGINT') && reports().length > 2);

    expect(first).toEqual(['ready', 'stop']);
    expect(reports().slice(0, 3)).toEqual(['ready', 'stop', 'force']);
  });

  it('treats requests that arrive while it is too busy to handle them as one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'maw-signals-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const go = join(folder, 'go');
    const busy = `setImmediate(() => {
      for (const end = performance.now() + 1_000; performance.now() < end || !existsSync(${JSON.stringify(go)}); );
      setTimeout(() => report('idle'), 10);
    });`;
    const { child, reports } = await programForTest(busy);

    child.kill('SIGHUP');
    await until('it to be busy', () => reports().includes('stop'));
    child.kill('SIGTERM');
    await writeFile(go, '');
    await until('it to be idle', () => reports().includes('idle'));

    expect(reports()).toEqual(['ready', 'stop', 'idle']);
  });

  it('treats an output that nobody reads any more as a request', async () => {
    const { child, reports } = await programForTest();

    child.stdout?.destroy();

    await until('the request to be handled', () => reports().length > 1);
    expect(reports()).toEqual(['ready', 'stop']);
  });
});
