import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../../schema/errors.ts';
import { reasonsAgainst } from '../../../../worker-agent/src/agent/health.ts';
import { AgentFailure } from '../../../../worker-agent/src/attempt/agent-failure.ts';
import { adapterThat } from '../../../support/adapter.ts';
import { agentForTest, holds } from '../../support/agent.ts';
import { type FakePlatform, startPlatform } from '../../support/fake-platform.ts';

/** A tool that prints, waits until it is released, prints again, attaches a file and returns its key. */
const waiting = (started: () => void, go: Promise<void>) =>
  adapterThat(async (host, { key }) => {
    host.emit({ type: 'log', stream: 'stdout', text: `${key} begins\n` });
    started();
    await go;
    host.emit({ type: 'log', stream: 'stdout', text: `${key} ends\n` });
    const artifact_id = await host.artifact({ name: 'file.txt', content: `file of ${key}` });
    if (key === 'k7') throw new AgentFailure('budget', 'it cost too much');
    return { key, artifact_id };
  });

const COUNT = 50;
/** Everything they leave is written durably to the disk, one entry after another. */
const DISK_MS = 60_000;

/** A worker with fifty running subtasks, whose platform then becomes unavailable. Resolves when all of them have ended. */
const withoutPlatform = async (platform: FakePlatform, given: Parameters<typeof agentForTest>[1] = {}) => {
  const subtasks = Array.from({ length: COUNT }, (_, at) => platform.add({ key: `k${at}` }));
  let started = 0;
  let letGo = () => {};
  const go = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const tools = [waiting(() => started++, go)];
  const worker = await agentForTest(platform, { ...given, slots: COUNT, tools });
  const run = worker.run();
  await holds(() => started === COUNT);
  platform.isUnavailable = true;
  letGo();
  return { worker, run, subtasks };
};
const keptCount = ({ lines }: Awaited<ReturnType<typeof agentForTest>>) => lines.filter(({ event }) => event === 'result.kept').length;

const expectLanded = (platform: FakePlatform, subtasks: { subtask_id: string; key: string }[]) => {
  const endings = platform.calls.flatMap(({ name, body, params }) =>
    name === 'completeSubtasks'
      ? body.completions.map((it: { subtask_id: string }) => it.subtask_id)
      : name === 'failSubtask'
        ? [params.subtask_id]
        : [],
  );
  expect(endings).toHaveLength(subtasks.length);
  expect(new Set(endings)).toEqual(new Set(subtasks.map(({ subtask_id }) => subtask_id)));
  for (const { subtask_id, key } of subtasks) {
    const logs = platform.logs.get(subtask_id) ?? [];
    expect(logs.map(({ content }) => content).join('')).toBe(`${key} begins\n${key} ends\n`);
    expect(logs.map(({ chunk }) => chunk)).toEqual(logs.map((_, at) => at));
    const ended = platform.ended.get(subtask_id);
    if (key === 'k7') {
      expect(ended).toMatchObject({ kind: 'failed', body: { failure_class: 'budget' } });
      continue;
    }
    const artifact_id: string = ended?.body.result.artifact_id;
    expect(ended).toMatchObject({ kind: 'completed', body: { result: { key } } });
    expect(platform.artifacts.get(artifact_id)).toMatchObject({ stored: true, name: 'file.txt' });
    expect(String(platform.blobs.get(artifact_id))).toBe(`file of ${key}`);
  }
  return endings as string[];
};

describe('while the platform is unavailable', { timeout: 180_000 }, () => {
  it('results, logs and files are stored, and arrive once and in order when it is available again', async () => {
    const platform = await startPlatform();
    const { worker, run, subtasks } = await withoutPlatform(platform);
    await holds(() => keptCount(worker) === COUNT, DISK_MS);
    const kept = worker.lines.filter(({ event }) => event === 'result.kept').map(({ subtask_id }) => subtask_id);
    expect(worker.agent.spool).toMatchObject({ status: 'waiting' });

    platform.isUnavailable = false;
    await holds(() => worker.agent.spool.status === 'empty', DISK_MS);

    expect(expectLanded(platform, subtasks)).toEqual(kept);
    worker.agent.drain('test');
    await run;
    expect(worker.agent.running).toBe(0);
  });

  it('they also arrive once and in order if the worker was restarted twice meanwhile', async () => {
    const platform = await startPlatform();
    const { worker, run, subtasks } = await withoutPlatform(platform, { settings: { reportForMs: 100 } });
    await holds(() => keptCount(worker) === COUNT, DISK_MS);
    const kept = worker.lines.filter(({ event }) => event === 'result.kept').map(({ subtask_id }) => subtask_id);
    worker.agent.drain('the first end');
    await run;
    expect(worker.events()).toContain('spool.unsent');
    const second = await agentForTest(platform, { stateDir: worker.stateDir, settings: { reportForMs: 100 } });
    const secondRun = second.run();
    await holds(() => second.events().includes('spool.found'));
    second.agent.drain('the second end');
    await secondRun;

    platform.isUnavailable = false;
    const third = await agentForTest(platform, { stateDir: worker.stateDir });
    void third.run();
    await holds(() => third.agent.spool.status === 'empty' && platform.ended.size === COUNT, DISK_MS);

    expect(expectLanded(platform, subtasks)).toEqual(kept);
    expect(readdirSync(`${worker.stateDir}/workspaces-spool`)).toEqual([]);
  });

  it('an entry whose request was received but whose answer got lost arrives once', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    let cuts = 0;
    platform.intercept('completeSubtasks', () => (cuts++ < 5 ? 'cut-after' : 'pass'));
    const worker = await agentForTest(platform);

    await worker.finish();

    const bodies = platform.of('completeSubtasks').map(({ body }) => body.completions[0]);
    expect(bodies.length).toBeGreaterThan(1);
    for (const body of bodies) expect(body).toMatchObject({ subtask_id: subtask.subtask_id, lease_token: subtask.lease_token, attempt: 1 });
    expect(new Set(bodies.map(({ result }) => JSON.stringify(result))).size).toBe(1);
  });

  it('a stored result waits for the stored logs of its attempt, even while those of other attempts can be sent', async () => {
    const platform = await startPlatform();
    const [first, second] = [platform.add({ key: 'first' }), platform.add({ key: 'second' })];
    const prints = adapterThat((host, { key }) => host.emit({ type: 'log', stream: 'stdout', text: key }));
    let isRefused = true;
    platform.intercept('appendLogs', ({ params }) =>
      params.subtask_id === first.subtask_id && isRefused ? new AppError('internal', 'a bug') : 'pass',
    );
    const worker = await agentForTest(platform, { slots: 2, tools: [prints] });
    void worker.run();
    const triesOf = ({ subtask_id }: { subtask_id: string }) =>
      platform.of('appendLogs').filter(({ params }) => params.subtask_id === subtask_id).length;

    await holds(() => keptCount(worker) > 0 && platform.ended.has(second.subtask_id));
    const tries = triesOf(first);
    await holds(() => triesOf(first) > tries + 1);
    const endedBefore = platform.ended.has(first.subtask_id);
    isRefused = false;
    await holds(() => platform.ended.has(first.subtask_id));

    expect(endedBefore).toBe(false);
    expect(platform.logs.get(first.subtask_id)).toMatchObject([{ content: 'first' }]);
  });

  it('subtasks that were claimed with a lost answer are requested again at once', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, claim_poll_ms: 3_600_000 };
    const [first, second] = [platform.add(), platform.add()];
    platform.intercept('completeSubtasks', ({ body }) => (body.claim ? 'cut-after' : 'pass'));
    const worker = await agentForTest(platform, { settings: { directMs: 1 } });
    void worker.run();

    await holds(() => platform.of('claimSubtasks').length > 1);
    platform.intercept('completeSubtasks', () => 'pass');
    await holds(() => platform.ended.has(first.subtask_id) && platform.ended.has(second.subtask_id));

    await holds(() => platform.of('claimSubtasks').length > 2);
    const { claim } = platform.of('completeSubtasks')[0]?.body ?? {};
    expect(platform.of('claimSubtasks')[1]?.body).toMatchObject({ claim_request_id: claim.claim_request_id, repeated: true });
  });

  it('a result without an answer is stored before the request has failed', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    let answer = () => {};
    const silence = new Promise<'pass'>((resolve) => {
      answer = () => resolve('pass');
    });
    platform.intercept('completeSubtasks', () => silence);
    const worker = await agentForTest(platform, { timeoutMs: 30_000 });
    void worker.run();

    await holds(() => keptCount(worker) === 1);
    const whileSilent = worker.agent.spool.status;
    answer();
    await holds(() => worker.agent.spool.status === 'empty' && worker.agent.running === 0);

    expect(whileSilent).toBe('waiting');
    expect(platform.ended.get(subtask.subtask_id)?.kind).toBe('completed');
    expect(worker.events().slice(0, worker.events().indexOf('result.kept'))).not.toContain('request.retried');
  });

  it('a result is stored at once if the platform asks to wait, and is not sent earlier, whatever else it answers', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    platform.retryAfterSeconds = 2;
    const triedAt: number[] = [];
    platform.intercept('completeSubtasks', () => {
      triedAt.push(performance.now());
      return triedAt.length === 1 ? new AppError('unavailable', 'later') : 'pass';
    });
    const worker = await agentForTest(platform);
    void worker.run();

    await holds(() => platform.ended.has(subtask.subtask_id));

    const [first = 0, second = 0] = triedAt;
    expect(worker.events()).toContain('result.kept');
    expect(second - first).toBeGreaterThanOrEqual(2_000);
  });

  it('a stored result is sent again whenever a heartbeat is answered', async () => {
    const platform = await startPlatform();
    const { subtask_id } = platform.add();
    platform.intercept('completeSubtasks', () => 'cut-before');
    const worker = await agentForTest(platform);
    void worker.run();
    await holds(() => keptCount(worker) === 1);
    const tries = platform.of('completeSubtasks').length;

    await holds(() => platform.of('completeSubtasks').length > tries + 10, 8_000);
    platform.intercept('completeSubtasks', () => 'pass');
    await holds(() => platform.ended.has(subtask_id));
  });

  it('a stored result whose lease was lost meanwhile is dropped, with a log line', async () => {
    const platform = await startPlatform();
    const { worker, subtasks } = await withoutPlatform(platform);
    await holds(() => keptCount(worker) === COUNT, DISK_MS);
    const [lost] = subtasks;
    platform.lost.add(lost?.subtask_id as string);

    platform.isUnavailable = false;
    await holds(() => worker.agent.spool.status === 'empty', DISK_MS);

    expect(platform.ended.has(lost?.subtask_id as string)).toBe(false);
    expect(platform.ended.size).toBe(COUNT - 1);
    expect(platform.of('failSubtask').map(({ params }) => params.subtask_id)).not.toContain(lost?.subtask_id);
    expect(worker.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', event: 'subtask.dropped', subtask_id: lost?.subtask_id, reason: 'lease_lost' }),
    );
  });

  it('a result that the platform refuses fails the subtask and delays no other', async () => {
    const platform = await startPlatform();
    const { worker, subtasks } = await withoutPlatform(platform);
    await holds(() => keptCount(worker) === COUNT, DISK_MS);
    const bad = subtasks[3]?.subtask_id as string;
    const ill = subtasks[4]?.subtask_id as string;
    let isIll = true;
    platform.intercept('completeSubtasks', ({ body }) => {
      const id = body.completions[0].subtask_id;
      return id === bad ? new AppError('invalid_request', 'no') : id === ill && isIll ? new AppError('internal', 'a bug') : 'pass';
    });

    platform.isUnavailable = false;
    await holds(() => platform.ended.size === COUNT - 1, DISK_MS);
    isIll = false;
    await holds(() => platform.ended.size === COUNT);

    expect(platform.ended.get(bad)).toMatchObject({ kind: 'failed', body: { failure_class: 'invalid_result' } });
    expect(platform.ended.get(ill)?.kind).toBe('completed');
  });

  it('and nothing can be stored on the disk, results wait in memory and no work is claimed until it can', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, idle_heartbeat_ms: 20 };
    const first = platform.add({ key: 'first' });
    const isClaim = (event: string) => worker.lines.some((line) => line.event === event && line.operation === 'claim');
    const tool = adapterThat(async () => {
      platform.isUnavailable = true;
      await holds(() => isClaim('request.retried'));
    });
    const worker = await agentForTest(platform, { slots: 2, tools: [tool], settings: { maxSpoolBytes: 100 } });
    void worker.run();
    await holds(() => worker.agent.spool.status === 'full' && isClaim('request.failed'));
    platform.add({ key: 'later' });

    platform.isUnavailable = false;
    await holds(() => platform.ended.has(first.subtask_id));
    const beats = platform.of('heartbeat').length;
    await holds(() => platform.of('heartbeat').length > beats + 1 && worker.agent.running === 0);

    expect(worker.lines).toContainEqual(expect.objectContaining({ level: 'error', event: 'spool.full' }));
    expect(platform.waiting.map(({ key }) => key)).toEqual(['later']);
    expect(reasonsAgainst(worker.agent.status)).toContainEqual(expect.stringContaining('its disk cannot store results'));
  });

  it('and the disk fails between two tries to send a result, the second claims nothing with it', async () => {
    const platform = await startPlatform();
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const tool = adapterThat(async (host, { key }) => {
      if (key === 'first') return;
      host.emit({ type: 'log', stream: 'stdout', text: 'this has to be stored' });
      await ended;
    });
    const subtasks = [platform.add({ key: 'first' }), platform.add({ key: 'second' })];
    const worker = await agentForTest(platform, { slots: 2, tools: [tool] });
    platform.intercept('appendLogs', () => 'cut-before');
    let tries = 0;
    platform.intercept('completeSubtasks', async () => {
      if (tries++ > 0) return 'pass';
      const folder = `${worker.workspaces}-spool`;
      rmSync(folder, { recursive: true });
      writeFileSync(folder, '');
      end();
      await holds(() => worker.agent.spool.status === 'failing');
      platform.add({ key: 'later' });
      return 'cut-before';
    });

    void worker.run();
    await holds(() => platform.ended.size === subtasks.length && worker.agent.running === 0);

    expect(platform.of('completeSubtasks')[0]?.body).toHaveProperty('claim');
    expect(platform.waiting.map(({ key }) => key)).toEqual(['later']);
  });
});
