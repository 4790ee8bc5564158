import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../../worker-agent/src/redaction/redactor.ts';
import { AgentFailure } from '../../../worker-agent/src/attempt/agent-failure.ts';
import { adapterThat } from '../../support/adapter.ts';
import { agentForTest, holds } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';
import { leaks, PRINTS, SECRETS } from '../support/secrets.ts';

const expectNoLeak = (text: string) => {
  for (const secret of SECRETS) expect(leaks(text, secret), `${secret} in ${text}`).toBe(false);
};
/** Every string within a line of JSON; none if the line is not JSON. */
const textsIn = (line: string): string[] => {
  const texts: string[] = [];
  try {
    JSON.parse(line, (key, value: unknown) => void texts.push(key, typeof value === 'string' ? value : ''));
  } catch {
    // A stored file is not JSON.
  }
  return texts;
};
const printed = Object.values(PRINTS).flatMap((print) => SECRETS.map(print));

describe('data that leaves the worker', () => {
  it('contains no secret: logs, messages, progress, results, usage and files', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const tool = adapterThat(async (host) => {
      for (const text of printed) {
        for (const half of [text.slice(0, 7), text.slice(7)]) host.emit({ type: 'log', stream: 'stdout', text: half });
        host.emit({ type: 'message', text });
        host.emit({ type: 'warning', message: text });
      }
      host.emit({ type: 'progress', message: `at ${'.'.repeat(470)}${SECRETS[0]}` });
      await holds(() => platform.of('heartbeat').some(({ body }) => body.leases[0]?.progress));
      host.emit({ type: 'usage', usage: { note: SECRETS[0] as string } });
      await host.artifact({ name: `of ${SECRETS[0]}.txt`, content: printed.join('\n') });
      return { printed, [SECRETS[0] as string]: 1 };
    });
    const worker = await agentForTest(platform, { tools: [tool], redactor: new Redactor(SECRETS) });

    await worker.finish();

    const sent = platform.calls.map(({ body }) => body as unknown);
    const texts: string[] = [];
    JSON.stringify(sent, (key, value) => {
      texts.push(key);
      if (typeof value === 'string') texts.push(value);
      return value;
    });
    texts.push((platform.logs.get(subtask.subtask_id) ?? []).map(({ content }) => content).join(''));
    texts.push(...[...platform.blobs.values()].map(String));
    expect(texts.filter((text) => text.includes('[redacted]')).length).toBeGreaterThan(100);
    texts.forEach(expectNoLeak);
    expectNoLeak(JSON.stringify(worker.lines));
  });

  it('contains no secret on the disk either, where it waits for an unavailable platform', async () => {
    const platform = await startPlatform();
    platform.add({ key: 'done' });
    platform.add({ key: 'failed' });
    const tool = adapterThat(async (host, { key }) => {
      platform.isUnavailable = true;
      for (const text of printed)
        for (const half of [text.slice(0, 9), text.slice(9)]) host.emit({ type: 'log', stream: 'stderr', text: half });
      await host.artifact({ name: 'a.txt', content: printed.join('\n') });
      if (key === 'failed') throw new AgentFailure('tool_error', printed.join(' ').slice(0, 3_000));
      return printed;
    });
    const worker = await agentForTest(platform, { slots: 2, tools: [tool], redactor: new Redactor(SECRETS) });
    void worker.run();
    await holds(() => worker.events().filter((event) => event === 'result.kept').length === 2);

    const folder = `${worker.workspaces}-spool`;
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));

    expect(files).toHaveLength(6);
    for (const file of files) expect(file).toContain('[redacted]');
    files.flatMap((file) => file.split('\n').flatMap((line) => [line, ...textsIn(line)])).forEach(expectNoLeak);
  });

  it('contains no secret when work fails, not even half of one where the message is cut', async () => {
    const platform = await startPlatform();
    const failing = platform.add({ key: 'failing' });
    const breaking = platform.add({ key: 'breaking' });
    const tool = adapterThat((_, { key }) => {
      const message = `${'.'.repeat(3_980)}${SECRETS[0]}`;
      throw key === 'failing' ? new AgentFailure('tool_error', message) : new Error(message);
    });
    const worker = await agentForTest(platform, { tools: [tool], redactor: new Redactor(SECRETS) });

    await worker.finish();

    for (const { subtask_id } of [failing, breaking]) {
      expect(platform.ended.get(subtask_id)?.kind).toBe('failed');
      expectNoLeak(platform.ended.get(subtask_id)?.body.message);
    }
  });

  it('contains no half of a secret where the output of a command is cut for its message', async () => {
    const platform = await startPlatform();
    const script = `process.stderr.write(process.argv[1] + '.'.repeat(1_985)); process.exit(1)`;
    const subtask = platform.add({ tool: 'exec', input: { argv: ['node', '-e', script, SECRETS[0] as string] } });
    const worker = await agentForTest(platform, { redactor: new Redactor(SECRETS) });

    await worker.finish();

    expectNoLeak(platform.ended.get(subtask.subtask_id)?.body.message);
  });

  it('contains no part of the credential of the worker', async () => {
    const platform = await startPlatform();
    const subtask = platform.add({ input: { steps: [{ do: 'output', value: `I am ${platform.worker.credential}` }] } });
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.output(subtask)).toBe('I am [redacted]');
  });
});
