import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ROOT } from '../../deploy/run.ts';
import { targetForFile } from '../conformance/support/target.ts';

const DESTROY_MS = 240_000;

/** Runs alone and last: afterwards the deployment no longer serves requests. */
describe('the removal of a deployment', { timeout: 300_000 }, () => {
  const { target, owner } = targetForFile();

  const destroy = async () => {
    const out = await mkdtemp(join(tmpdir(), 'maw-destroy-'));
    onTestFinished(() => rm(out, { recursive: true, force: true }));
    const context = ['-c', 'target=local', '-c', `emulator=${process.env.AWS_ENDPOINT_URL}`];
    const args = [join(ROOT, 'deploy/destroy.ts'), '--force', '--output', out, ...context];
    return promisify(execFile)(process.execPath, args, { cwd: ROOT, env: { ...process.env, CDK_OUTDIR: out }, timeout: DESTROY_MS });
  };

  it('deletes what runs, even without a fleet, and keeps the queues', async () => {
    await owner().client.getRoot();

    const { stdout } = await destroy();

    expect(stdout).toContain('What is kept is in the stack MultiAgentOnTheWebData');
    await expect(owner().client.getRoot()).rejects.toThrow();
    const { client, urls } = target().queues ?? expect.fail('there are no queues');
    for (const QueueUrl of Object.values(urls))
      expect((await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes).toBeDefined();
  });
});
