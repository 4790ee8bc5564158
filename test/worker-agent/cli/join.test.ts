import { describe, expect, it, onTestFinished } from 'vitest';
import { joinUrl, readJoinUrl } from '../../../worker-agent/src/cli/join-url.ts';
import { ended } from '../../e2e/support/cli.ts';
import { run, until } from '../../support/processes.ts';
import { folderForTest } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

const join = async () => {
  const platform = await startPlatform();
  const folder = await folderForTest();
  const start = (address: string, ...flags: string[]) => {
    const worker = run(['worker-agent/bin/maw.mjs', 'worker', 'join', address, '--state-dir', folder, ...flags], { HOME: folder });
    onTestFinished(() => worker.kill('SIGKILL'));
    return worker;
  };
  return { platform, start };
};

describe('the join URL', () => {
  it('contains the token in a part that is never sent', () => {
    expect(readJoinUrl(joinUrl('http://here:8080', 'mae_one'))).toEqual({ url: 'http://here:8080', token: 'mae_one' });
    expect(readJoinUrl('https://here/api/')).toEqual({ url: 'https://here/api', token: undefined });
  });

  it('is rejected with an error that does not contain the token', () => {
    expect(() => readJoinUrl('here:8080/#mae_one')).toThrow(/^here:8080\/ must be an address/);
    expect(() => readJoinUrl('http://here/#mak_secret')).toThrow(/^the part after # must be an enrolment token/);
  });
});

describe('maw worker join', { timeout: 60_000 }, () => {
  it('checks the machine, enrols the worker and starts it; repeated, it continues as the same worker', async () => {
    const { platform, start } = await join();
    const address = joinUrl(platform.url, 'mae_one');

    for (const _ of [1, 2]) {
      const worker = start(address, '--tools', 'scripted');
      const claimed = platform.add();
      await until('the work to be done', () => platform.ended.has(claimed.subtask_id));
      await worker.kill('SIGTERM');

      expect(worker.child.exitCode).toBe(0);
      expect(worker.output()).toMatch(/^ok +Node[\s\S]*ok +platform at[\s\S]*worker\.started/);
      expect(worker.output()).not.toContain('mae_one');
      expect(platform.of('registerWorker')).toHaveLength(1);
    }
  });

  it('does not use the token while a check fails, and prints what to do', async () => {
    const { platform, start } = await join();

    const missing = await ended(start(joinUrl(platform.url, 'mae_one'), '--tools', 'exec', '--exec-allow', 'no-such-tool'));
    const unreachable = await ended(start('http://127.0.0.1:1/#mae_one', '--tools', 'scripted'));

    expect(missing).toMatchObject({ code: 1, out: expect.stringMatching(/fail +exec: no-such-tool .*\n +next: install no-such-tool/) });
    expect(unreachable).toMatchObject({
      code: 1,
      out: expect.stringMatching(/fail .*does not answer.*\n +next: check that the platform is running/),
    });
    expect(platform.of('registerWorker')).toHaveLength(0);
  });

  it('accepts the token as a flag, and asks for one if it is missing', async () => {
    const { platform, start } = await join();

    const none = await ended(start(platform.url));
    const worker = start(platform.url, '--enrol-token', 'mae_one');
    await until('it to work', () => platform.of('claimSubtasks').length > 0);
    await worker.kill('SIGTERM');

    expect(none).toMatchObject({ code: 1, out: expect.stringMatching(/fail +credential: .*not enrolled\n +next: create a token/) });
    expect(platform.of('registerWorker')[0]?.headers.authorization).toBe('Bearer mae_one');
  });
});
