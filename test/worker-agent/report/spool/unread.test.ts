import { mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentForTest, holds } from '../../support/agent.ts';
import { startPlatform } from '../../support/fake-platform.ts';

describe('a stored result whose file cannot be read at the moment', { timeout: 60_000 }, () => {
  it('is sent when it can be read, and no other before it', async () => {
    const platform = await startPlatform();
    const [first, second] = [platform.add(), platform.add()];
    platform.intercept('completeSubtasks', () => 'cut-before');
    const worker = await agentForTest(platform);
    const kept = () => worker.lines.filter(({ event }) => event === 'result.kept').length;
    void worker.run();
    await holds(() => kept() === 2);
    const folder = `${worker.workspaces}-spool`;
    const [name = ''] = readdirSync(folder).toSorted();
    renameSync(join(folder, name), `${folder}.moved`);
    mkdirSync(join(folder, name));
    await holds(() => worker.events().includes('spool.unreadable'));
    const before = platform.of('completeSubtasks').length;

    platform.intercept('completeSubtasks', () => 'pass');
    const linesBefore = worker.lines.length;
    await holds(() => worker.events().slice(linesBefore).includes('spool.unreadable'));
    rmdirSync(join(folder, name));
    renameSync(`${folder}.moved`, join(folder, name));
    await holds(() => worker.agent.spool.status === 'empty');

    const sent = platform.of('completeSubtasks').slice(before);
    expect(sent.map(({ body }) => body.completions[0].subtask_id)).toEqual([first.subtask_id, second.subtask_id]);
    expect(worker.events()).not.toContain('spool.broken');
  });
});
