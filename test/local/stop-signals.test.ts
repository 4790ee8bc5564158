import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { killAtOnce, run, until } from '../support/processes.ts';

const HELPER = pathToFileURL(join(import.meta.dirname, '../../local/stop-signals.ts')).href;

/** A program that tells on `stderr` what it is asked for, and goes on; `then` is what it does when it is asked to stop. */
const programForTest = async (then = '') => {
  const program = `
    import { existsSync } from 'node:fs';
    import { onStopSignals } from '${HELPER}';
    const tell = (word) => process.stderr.write(word + '\\n');
    const stop = () => {
      tell('stop');
      ${then}
    };
    onStopSignals({ stop, force: () => tell('force') });
    tell('ready');
    setInterval(() => process.stdout.write('.'), 20);`;
  const running = run(['--input-type=module', '-e', program]);
  onTestFinished(() => running.kill('SIGKILL'));
  const told = () => running.output().replaceAll('.', '').trim().split('\n');
  await until('it to be ready', () => told()[0] === 'ready');
  return { child: running.child, told };
};

describe.skipIf(process.platform === 'win32')('a program that is asked to end', () => {
  it('counts what comes in several ways at once as one, and what comes later as a second', async () => {
    const { child, told } = await programForTest();

    killAtOnce(child, ['SIGHUP', 'SIGTERM', 'SIGINT']);
    await until('it to have heard the first', () => told().length > 1);
    const first = told();
    await until('it to hear one as a second', () => child.kill('SIGINT') && told().length > 2);

    expect(first).toEqual(['ready', 'stop']);
    expect(told().slice(0, 3)).toEqual(['ready', 'stop', 'force']);
  });

  it('takes what comes while it is too busy to hear of it for the same one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'maw-signals-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const go = join(folder, 'go');
    const busy = `setImmediate(() => {
      for (const end = performance.now() + 1_000; performance.now() < end || !existsSync(${JSON.stringify(go)}); );
      setTimeout(() => tell('idle'), 10);
    });`;
    const { child, told } = await programForTest(busy);

    child.kill('SIGHUP');
    await until('it to be busy', () => told().includes('stop'));
    child.kill('SIGTERM');
    await writeFile(go, '');
    await until('it to be idle', () => told().includes('idle'));

    expect(told()).toEqual(['ready', 'stop', 'idle']);
  });

  it('takes it as such when nobody reads its output any more', async () => {
    const { child, told } = await programForTest();

    child.stdout?.destroy();

    await until('it to be told', () => told().length > 1);
    expect(told()).toEqual(['ready', 'stop']);
  });
});
