import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../schema/errors.ts';
import { WorkerRevoked } from '../../../worker-agent/src/agent/agent.ts';
import { WorkerApi } from '../../../worker-agent/src/api/worker-api.ts';
import { ClaimLoop } from '../../../worker-agent/src/agent/claim-loop.ts';
import { adapterThat } from '../../support/adapter.ts';
import { agentForTest, holds, until } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

/** A tool that works until its signal aborts or `finish` is called. */
const stubborn = () => {
  const seen = { started: 0, stopped: 0, finish: () => {} };
  const tool = adapterThat(
    ({ signal }) =>
      new Promise((resolve, reject) => {
        seen.started++;
        seen.finish = () => resolve('finished');
        signal.addEventListener('abort', () => {
          seen.stopped++;
          reject(new Error('stopped'));
        });
      }),
  );
  return { tool, seen };
};

describe('a worker', () => {
  it('claims ready subtasks, runs them and completes them', async () => {
    const platform = await startPlatform();
    const subtask = platform.add({ goal: 'say hello', inputs: platform.parent('before', 1) });
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.output(subtask)).toEqual({ text: 'say hello', inputs: ['before'] });
    expect(platform.of('claimSubtasks')[0]?.headers.authorization).toBe(`Bearer ${platform.worker.credential}`);
    expect(worker.events()).toEqual(expect.arrayContaining(['worker.started', 'subtask.claimed', 'subtask.completed', 'worker.stopped']));
  });

  it('claims the next subtask in the request that completes one', async () => {
    const platform = await startPlatform();
    for (let count = 0; count < 5; count++) platform.add();
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.ended.size).toBe(5);
    expect(platform.of('claimSubtasks').filter(({ body }) => platform.given.has(body.claim_request_id))).toHaveLength(1);
    expect(platform.of('completeSubtasks').length).toBeGreaterThanOrEqual(5);
  });

  it('never runs more than its slots', async () => {
    const platform = await startPlatform();
    for (let count = 0; count < 20; count++) platform.add();
    let running = 0;
    let most = 0;
    const tool = adapterThat(async () => {
      most = Math.max(most, ++running);
      await holds(() => most >= 3);
      running--;
    });
    const worker = await agentForTest(platform, { slots: 3, tools: [tool] });

    await worker.finish();

    expect(platform.ended.size).toBe(20);
    expect(most).toBe(3);
  });

  it('reports the start of a subtask that its claim did not start, without delaying the work', async () => {
    const platform = await startPlatform();
    const subtask = platform.add({ started: false });
    const tool = adapterThat(() => holds(() => platform.of('startSubtask').length >= 2));
    platform.intercept('startSubtask', () => (platform.of('startSubtask').length < 2 ? 'cut-after' : 'pass'));
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    expect(platform.ended.size).toBe(1);
    expect(platform.of('startSubtask')[0]?.body).toEqual({ lease_token: subtask.lease_token, attempt: 1 });
  });

  it('stops the work when the report of its start is refused because the lease is lost', async () => {
    const platform = await startPlatform();
    platform.add({ started: false });
    const { tool, seen } = stubborn();
    platform.intercept('startSubtask', async () => {
      await holds(() => seen.started === 1);
      return new AppError('lease_lost', 'another worker has it');
    });
    const worker = await agentForTest(platform, { tools: [tool] });
    void worker.run();

    await holds(() => seen.stopped === 1 && worker.agent.running === 0);

    expect(worker.events().filter((event) => event === 'subtask.lease-lost')).toHaveLength(1);
    expect(platform.calls.filter(({ name }) => ['completeSubtasks', 'failSubtask', 'releaseSubtask'].includes(name))).toEqual([]);
  });

  it('no longer reports the start of a subtask that has ended', async () => {
    const platform = await startPlatform();
    platform.add({ started: false });
    let isRefused = false;
    platform.intercept('startSubtask', async () => {
      await holds(() => platform.of('completeSubtasks').length > 0);
      isRefused = true;
      return new AppError('invalid_request', 'it has ended');
    });
    platform.intercept('completeSubtasks', async () => {
      await holds(() => isRefused);
      return 'pass' as const;
    });
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(worker.events()).not.toContain('start.failed');
  });

  it('completes a subtask whose start never reached the platform', async () => {
    const platform = await startPlatform();
    platform.add({ started: false });
    platform.intercept('startSubtask', () => 'cut-before');
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.ended.size).toBe(1);
    expect(platform.of('completeSubtasks')).not.toHaveLength(0);
  });

  it('repeats a claim whose answer was lost with the same claim_request_id, and runs the subtasks it returns', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    let cuts = 0;
    platform.intercept('claimSubtasks', () => (cuts++ < 2 ? 'cut-after' : 'pass'));
    const worker = await agentForTest(platform);

    await worker.finish();

    const [first, second, third] = platform.of('claimSubtasks').map(({ body }) => body.claim_request_id);
    expect(new Set([first, second, third]).size).toBe(1);
    expect(platform.output(subtask)).toMatchObject({ text: 'say hello' });
  });

  it('repeats a completion whose answer was lost, with the same result and the same claim', async () => {
    const platform = await startPlatform();
    platform.add({ input: { steps: [{ do: 'output', value: 42 }] } });
    let cuts = 0;
    platform.intercept('completeSubtasks', () => (cuts++ < 1 ? 'cut-after' : 'pass'));
    const worker = await agentForTest(platform, { settings: { directMs: 60_000 } });
    const claiming = () => platform.of('completeSubtasks').filter(({ body }) => body.claim);

    await worker.finish();
    await holds(() => claiming().length >= 2);

    const [first, second] = claiming();
    expect(second?.body).toEqual(first?.body);
    expect(worker.events()).toContain('request.retried');
  });

  it('sends the next heartbeat no earlier than the platform asks', async () => {
    const platform = await startPlatform();
    platform.retryAfterSeconds = 2;
    const beatenAt: number[] = [];
    platform.intercept('heartbeat', () => {
      beatenAt.push(performance.now());
      return beatenAt.length === 1 ? new AppError('unavailable', 'later') : 'pass';
    });
    const worker = await agentForTest(platform);
    void worker.run();

    await holds(() => beatenAt.length > 1);

    const [first = 0, second = 0] = beatenAt;
    expect(second - first).toBeGreaterThanOrEqual(2_000);
  });

  it('stops the work of a lost lease and sends nothing more for it', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const { tool, seen } = stubborn();
    const worker = await agentForTest(platform, { tools: [tool] });
    const run = worker.run();
    await holds(() => seen.started === 1);

    platform.lost.add(subtask.subtask_id);
    await holds(() => seen.stopped === 1 && worker.agent.running === 0);
    worker.agent.drain('test');
    await run;

    expect(worker.events()).toContain('subtask.lease-lost');
    expect(platform.calls.filter(({ name }) => ['completeSubtasks', 'failSubtask', 'releaseSubtask', 'appendLogs'].includes(name))).toEqual(
      [],
    );
  });

  it('stops the work of a cancelled subtask', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const { tool, seen } = stubborn();
    const worker = await agentForTest(platform, { tools: [tool] });
    void worker.run();
    await holds(() => seen.started === 1);

    platform.cancelled.add(subtask.subtask_id);
    await holds(() => seen.stopped === 1 && worker.agent.running === 0);

    expect(worker.events()).toContain('subtask.cancelled');
    expect(platform.of('failSubtask')).toEqual([]);
  });

  it('drops a result without an error when its lease was lost in the meantime', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    platform.lost.add(subtask.subtask_id);
    platform.intercept('heartbeat', () => new AppError('unavailable', 'not now'));
    const worker = await agentForTest(platform);
    void worker.run();

    await holds(() => worker.lines.some(({ event, reason }) => event === 'subtask.dropped' && reason === 'lease_lost'));
    await holds(() => worker.agent.running === 0);

    expect(platform.ended.size).toBe(0);
  });

  it.each(['lease_lost', 'attempt_ended', 'task_ended'] as const)(
    'sends nothing more about a result that is refused as %s',
    async (code) => {
      const platform = await startPlatform();
      const { subtask_id } = platform.add();
      platform.intercept('completeSubtasks', () => ({
        answer: { results: [{ ok: false, subtask_id, code, detail: 'over' }], claim: null },
      }));
      const worker = await agentForTest(platform);
      void worker.run();

      await holds(() => worker.lines.some(({ event, reason }) => event === 'subtask.dropped' && reason === code));
      await holds(() => worker.agent.running === 0);

      expect(platform.of('failSubtask')).toEqual([]);
    },
  );

  it('sends progress with the heartbeat', async () => {
    const platform = await startPlatform();
    platform.add();
    const tool = adapterThat(async (host) => {
      host.emit({ type: 'progress', percent: 130, message: 'half\u0000way' });
      await until(() => expect(platform.of('heartbeat').some(({ body }) => body.leases[0]?.progress)).toBe(true));
    });
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    const beat = platform.of('heartbeat').find(({ body }) => body.leases[0]?.progress);
    expect(beat?.body.leases[0].progress).toEqual({ percent: 100, message: 'half\ufffdway' });
  });

  it('uses the credential that a heartbeat renewed, and passes it on to be stored', async () => {
    const platform = await startPlatform();
    platform.worker.renewed = 'a-fresh-credential';
    const kept: string[] = [];
    const worker = await agentForTest(platform, { onCredential: (credential) => void kept.push(credential) });
    void worker.run();

    await holds(() => platform.calls.some(({ headers }) => headers.authorization === 'Bearer a-fresh-credential'));

    expect(kept[0]).toBe('a-fresh-credential');
  });

  it('stops everything with a clear message when the server removed it', async () => {
    const platform = await startPlatform();
    platform.add();
    const { tool, seen } = stubborn();
    const worker = await agentForTest(platform, { tools: [tool] });
    const run = worker.run();
    run.catch(() => {});
    await holds(() => seen.started === 1);

    platform.intercept('heartbeat', () => new AppError('worker_revoked', 'This worker was removed'));

    await expect(run).rejects.toThrow(WorkerRevoked);
    await expect(run).rejects.toThrow('this worker was removed; enrol again');
    expect(seen.stopped).toBe(1);
    expect(platform.of('failSubtask')).toEqual([]);
  });

  it('fails a subtask that takes longer than its timeout_seconds as timed_out', async () => {
    const platform = await startPlatform();
    const subtask = platform.add({ timeout_seconds: 1 });
    const { tool } = stubborn();
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    expect(platform.ended.get(subtask.subtask_id)).toMatchObject({ kind: 'failed', body: { failure_class: 'timed_out' } });
  });

  it('sends a result that is too large for the request as an artifact', async () => {
    const platform = await startPlatform();
    const value = 'x'.repeat(300_000);
    const subtask = platform.add({ input: { steps: [{ do: 'output', value }] } });
    const worker = await agentForTest(platform);

    await worker.finish();

    const { result, result_artifact_id } = platform.ended.get(subtask.subtask_id)?.body ?? {};
    expect(result).toBeUndefined();
    expect(platform.artifacts.get(result_artifact_id)).toMatchObject({
      stored: true,
      name: 'result.json',
      content_type: 'application/json',
    });
    expect(JSON.parse(platform.blobs.get(result_artifact_id)?.toString() ?? '')).toBe(value);
  });

  it('fails a result that exceeds the limit of the worker', async () => {
    const platform = await startPlatform();
    const subtask = platform.add({ input: { steps: [{ do: 'output', value: 'x'.repeat(5_000) }] } });
    const worker = await agentForTest(platform, { settings: { maxResultBytes: 4_000 } });

    await worker.finish();

    expect(platform.ended.get(subtask.subtask_id)?.body).toMatchObject({
      failure_class: 'tool_error',
      message: expect.stringContaining('at most 4000'),
    });
  });

  it('fetches the outputs of parents that the claim did not include, from the API or from the blob store', async () => {
    const platform = await startPlatform();
    const id = '00000000-0000-4000-8000-0000000000bb';
    platform.blobs.set(id, Buffer.from('{"b":2}'));
    const a = platform.parent('a', null, { included: false });
    const b = platform.parent('b', null, { result_artifact_id: id });
    platform.inputs.set('a', { ...a.a!, result: { a: 1 } });
    platform.inputs.set('b', b.b!);
    const subtask = platform.add({ inputs: { ...a, ...b }, input: { steps: [{ do: 'sum_inputs' }] } });
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.output(subtask)).toEqual({ a: 1, b: 2 });
  });

  it('replaces characters that the server refuses in everything that it sends', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const tool = adapterThat((host) => {
      host.emit({ type: 'log', stream: 'stdout', text: 'log \u0000 \ud800' });
      host.emit({ type: 'usage', usage: { note: '\udfff' } });
      return { 'key\u0000': ['a\ud800b', '\u0000'] };
    });
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    expect(platform.output(subtask)).toEqual({ 'key\ufffd': ['a\ufffdb', '\ufffd'] });
    expect(platform.logs.get(subtask.subtask_id)?.[0]?.content).toBe('log \ufffd \ufffd');
  });

  it('reports a failure with its class, and removes the workspace of the attempt', async () => {
    const platform = await startPlatform();
    const subtask = platform.add({ input: { steps: [{ do: 'fail', failure_class: 'rate_limited', message: 'slow down' }] } });
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.ended.get(subtask.subtask_id)?.body).toMatchObject({ failure_class: 'rate_limited', message: 'slow down' });
    await expect.poll(() => readdir(worker.workspaces), { timeout: 10_000 }).toEqual([]);
  });

  it('fails a result that is refused within an accepted request as an invalid result', async () => {
    const platform = await startPlatform();
    const { subtask_id } = platform.add();
    const refusal = { ok: false, subtask_id, code: 'artifact_not_stored', detail: 'no bytes' };
    platform.intercept('completeSubtasks', () => ({ answer: { results: [refusal], claim: null } }));
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.ended.get(subtask_id)).toMatchObject({
      kind: 'failed',
      body: { failure_class: 'invalid_result', message: expect.stringContaining('artifact_not_stored') },
    });
  });

  it('does not let one refused result affect the others in its request', async () => {
    const platform = await startPlatform();
    const bad = platform.add({ key: 'bad' });
    const good = platform.add({ key: 'good' });
    platform.intercept('completeSubtasks', ({ body }) =>
      body.completions.some((it: { subtask_id: string }) => it.subtask_id === bad.subtask_id)
        ? new AppError('invalid_request', 'bad result')
        : 'pass',
    );
    const worker = await agentForTest(platform, { slots: 2 });

    await worker.finish();

    expect(platform.ended.get(good.subtask_id)?.kind).toBe('completed');
    expect(platform.ended.get(bad.subtask_id)).toMatchObject({ kind: 'failed', body: { failure_class: 'invalid_result' } });
  });
});

describe('a claim', () => {
  it('releases its slots when it is refused', async () => {
    const platform = await startPlatform();
    platform.intercept('claimSubtasks', () => new AppError('invalid_request', 'no'));
    const { url, worker } = platform;
    const { signal } = new AbortController();
    const errors: unknown[] = [];
    const loop = new ClaimLoop({
      api: new WorkerApi({ url, workerId: worker.worker_id, timeoutMs: 5_000, credential: () => worker.credential }),
      slots: 3,
      tools: ['scripted'],
      canClaim: () => true,
      draining: signal,
      stopped: signal,
      onClaimed: () => 0,
      onError: (error) => void errors.push(error),
    });

    await loop.once();

    expect(errors).toHaveLength(1);
    expect(loop.slots.free).toBe(3);
  });
});

describe('draining', () => {
  it('stops claiming, renews the leases of running subtasks and lets them finish', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const { tool, seen } = stubborn();
    const worker = await agentForTest(platform, { tools: [tool], slots: 2 });
    const run = worker.run();
    await holds(() => seen.started === 1);
    let answer = () => {};
    const nothing = { answer: { claimed: [], empty_reason: 'nothing_ready', claim_poll_ms: 1 } };
    platform.intercept('claimSubtasks', () => new Promise((resolve) => (answer = () => resolve(nothing))));
    const asked = platform.of('claimSubtasks').length;
    await holds(() => platform.of('claimSubtasks').length > asked);

    worker.agent.drain('test');
    platform.intercept('claimSubtasks', () => 'pass');
    platform.add({ key: 'later' });
    answer();
    const beats = platform.of('heartbeat').length;
    await holds(() => platform.of('heartbeat').length > beats + 2);
    seen.finish();
    await run;

    expect(platform.output(subtask)).toBe('finished');
    expect(platform.of('completeSubtasks')[0]?.body.claim).toBeUndefined();
    expect(platform.waiting.map(({ key }) => key)).toEqual(['later']);
  });

  it('begins when the server sets the mode of the worker to draining', async () => {
    const platform = await startPlatform();
    platform.worker.mode = 'draining';
    const worker = await agentForTest(platform);

    await worker.run();

    expect(worker.lines.find(({ event }) => event === 'worker.draining')?.reason).toBe('the server requested it');
  });

  it('releases the running subtasks when it is cancelled', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const { tool, seen } = stubborn();
    const worker = await agentForTest(platform, { tools: [tool] });
    const run = worker.run();
    await holds(() => seen.started === 1);

    worker.agent.drain('first');
    worker.agent.cancel('second');
    await run;

    expect(seen.stopped).toBe(1);
    expect(platform.ended.get(subtask.subtask_id)).toMatchObject({ kind: 'released' });
  });
});

describe('once', () => {
  it('claims one time, up to its free slots, and ends when those subtasks are finished', async () => {
    const platform = await startPlatform();
    for (let count = 0; count < 3; count++) platform.add();
    const worker = await agentForTest(platform, { slots: 2 });

    const claimed = await worker.agent.once();

    expect(claimed).toBe(2);
    expect(platform.ended.size).toBe(2);
    expect(platform.waiting).toHaveLength(1);
  });
});
