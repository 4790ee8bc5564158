import { describe, expect, it } from 'vitest';
import { AppError } from '../../../schema/errors.ts';
import { adapterThat } from '../../support/adapter.ts';
import { agentForTest, holds } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

describe('the output of an attempt', () => {
  it('is stored before the attempt is completed', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const worker = await agentForTest(platform, {
      tools: [adapterThat((host) => host.emit({ type: 'log', stream: 'stdout', text: 'a line\n' }))],
    });

    await worker.finish();

    const names = platform.calls.map(({ name }) => name).filter((name) => name === 'appendLogs' || name === 'completeSubtasks');
    expect(names).toEqual(['appendLogs', 'completeSubtasks']);
    expect(platform.logs.get(subtask.subtask_id)).toEqual([{ chunk: 0, stream: 'stdout', content: 'a line\n' }]);
  });

  it('arrives complete and in order despite lost requests and lost answers', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    let count = 0;
    platform.intercept('appendLogs', () => (['cut-before', 'cut-after', 'pass'] as const)[count++ % 3] ?? 'pass');
    const lines = Array.from({ length: 3_000 }, (_, at) => `line ${at} 中文 ${'x'.repeat(50)}\n`);
    const worker = await agentForTest(platform, {
      tools: [adapterThat((host) => lines.forEach((line) => host.emit({ type: 'log', stream: 'stdout', text: line })))],
    });

    await worker.finish();

    const stored = platform.logs.get(subtask.subtask_id) ?? [];
    expect(stored.map(({ chunk }) => chunk)).toEqual(stored.map((_, at) => at));
    expect(stored.map(({ content }) => content).join('')).toBe(lines.join(''));
  });

  it('is sent from the first chunk that is not acknowledged, also if that was added while a request was in progress', async () => {
    const platform = await startPlatform();
    const { subtask_id } = platform.add();
    let letGo = () => {};
    const more = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    platform.intercept('appendLogs', () => more.then(() => 'pass'));
    const parts = ['first\n', ...['b', 'c', 'd'].map((letter) => `${letter.repeat(70_000)}\n`)];
    const tool = adapterThat(async (host) => {
      const print = (text: string | undefined) => host.emit({ type: 'log', stream: 'stdout', text: text ?? '' });
      print(parts[0]);
      await holds(() => platform.of('appendLogs').length === 1);
      for (const part of parts.slice(1)) print(part);
      letGo();
    });
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    const stored = platform.logs.get(subtask_id) ?? [];
    expect(stored.map(({ chunk }) => chunk)).toEqual(stored.map((_, at) => at));
    expect(stored.map(({ content }) => content).join('')).toBe(parts.join(''));
  });

  it('is sent while the tool is still running', async () => {
    const platform = await startPlatform();
    const { subtask_id } = platform.add();
    const tool = adapterThat(async (host) => {
      host.emit({ type: 'log', stream: 'stderr', text: 'early' });
      await holds(() => platform.logs.has(subtask_id));
    });
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    expect(platform.ended.get(subtask_id)?.kind).toBe('completed');
    expect(platform.logs.get(subtask_id)?.map(({ content }) => content)).toEqual(['early']);
  });

  it('is given up when the server refuses it, but the result is not', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    platform.intercept('appendLogs', () => new AppError('invalid_request', 'no'));
    const worker = await agentForTest(platform, {
      tools: [adapterThat((host) => host.emit({ type: 'log', stream: 'stdout', text: 'x' }))],
    });

    await worker.finish();

    expect(platform.ended.get(subtask.subtask_id)?.kind).toBe('completed');
    expect(worker.events()).toContain('logs.given-up');
  });
});
