import { describe, expect, it, onTestFinished } from 'vitest';
import { AppError } from '../../../schema/errors.ts';
import { clockFor, clockMs, countingSleep } from '../../../worker-agent/src/heartbeat/clock.ts';
import { WorkerApi } from '../../../worker-agent/src/api/worker-api.ts';
import { HeartbeatLoop } from '../../../worker-agent/src/heartbeat/heartbeat-loop.ts';
import { Lease } from '../../../worker-agent/src/heartbeat/lease.ts';
import { Unconfirmed } from '../../../worker-agent/src/api/retry.ts';
import { RunningJob } from '../../../worker-agent/src/attempt/running-job.ts';
import { adapterThat } from '../../support/adapter.ts';
import { until as waitFor } from '../../support/processes.ts';
import { agentForTest, holds } from '../support/agent.ts';
import { blocked } from '../support/blocked.ts';
import { type FakePlatform, startPlatform, type Verdict } from '../support/fake-platform.ts';

describe('a lease', () => {
  it('counts from when the request was sent, and is not shortened by an older answer', () => {
    const lease = new Lease();
    const before = lease.isOver;

    lease.extend(clockMs() - 1_000, 60_000);
    lease.extend(clockMs() - 50_000, 60_000);

    expect(before).toBe(true);
    expect(lease.isOver).toBe(false);
    expect(lease.leftMs).toBeLessThanOrEqual(59_000);
    expect(lease.leftMs).toBeGreaterThan(40_000);
  });

  it('ends for both threads at the same time', () => {
    const lease = new Lease();
    const other = new Lease(lease.cells);

    lease.extend(clockMs(), 60_000);
    other.fence();

    expect(other.isOver).toBe(false);
    expect(lease.isFenced).toBe(true);
  });
});

describe('a job whose lease may have expired', () => {
  it('allows nothing to be sent after an answer that did not renew the lease', async () => {
    const platform = await startPlatform();
    const asked: string[] = [];
    const beats = { ask: async () => void asked.push('lease'), leasesChanged: () => {} };
    const job = new RunningJob(platform.add(), new Lease(), beats);

    await expect(job.confirm()).rejects.toBeInstanceOf(Unconfirmed);

    expect(asked).toEqual(['lease']);
  });
});

describe('the clock of leases', () => {
  it.each(['linux', 'darwin', 'win32', 'freebsd'] as const)('advances as on %s', (platform) => {
    const clock = clockFor(platform);
    const from = clock();

    for (const end = performance.now() + 60; performance.now() < end; );

    expect(clock() - from).toBeGreaterThanOrEqual(40);
  });

  it('counts what the wall clock gains on the monotonic clock as sleep if no clock counts sleep, and never subtracts it', () => {
    let monotonic = 5_000;
    let wall = 1_000_000;
    const clock = countingSleep(
      () => monotonic,
      () => wall,
    );
    const pass = (byMonotonic: number, byWall: number) => {
      const before = clock();
      monotonic += byMonotonic;
      wall += byWall;
      return clock() - before;
    };

    expect(pass(1_000, 1_000)).toBe(1_000);
    expect(pass(1_000, 61_000)).toBe(61_000);
    expect(pass(1_000, -7_200_000)).toBe(1_000);
    expect(pass(1_000, 1_000)).toBe(1_000);
  });
});

/** A loop that renews one lease of the fake platform, and when the platform received its beats. */
const beating = (platform: FakePlatform) => {
  const { url, intervals, worker } = platform;
  const { subtask_id, lease_token, attempt } = platform.add();
  const lease = new Lease();
  const held = [
    { fence: { subtask_id, lease_token, attempt }, progress: undefined, cells: lease.cells, isWorking: true, trees: new Map() },
  ];
  const api = new WorkerApi({ url, workerId: worker.worker_id, timeoutMs: 30_000, credential: () => worker.credential });
  const options = { api, intervals, slots: 1, held: () => held, mayBeat: () => true, onAnswer: () => {}, onError: () => {} };
  return { loop: new HeartbeatLoop(options), lease, fence: { subtask_id, attempt } };
};

describe('heartbeats', () => {
  it('renew a lease from when they were sent, even if the answer is late', async () => {
    const platform = await startPlatform();
    const { loop, lease } = beating(platform);
    const sentAt = performance.now();
    platform.intercept('heartbeat', async () => {
      await holds(() => performance.now() - sentAt >= 5_000);
      return 'pass' as const;
    });

    await loop.beat(new AbortController().signal);

    expect(lease.leftMs).toBeLessThanOrEqual(platform.intervals.lease_ms - 4_900);
    expect(lease.leftMs).toBeGreaterThan(platform.intervals.lease_ms - 15_000);
  });

  it.each([
    ['for as long as the platform reports', { state: 'renewed', left_ms: 20_000 }, 20_000],
    ['not at all when the platform reports it as lost', { state: 'lost', left_ms: 20_000 }, 0],
    ['not at all when the platform renews another attempt', { state: 'renewed', attempt: 2 }, 0],
  ])('renew a lease %s', async (_, reported, mostMs) => {
    const platform = await startPlatform();
    const { loop, lease, fence } = beating(platform);
    const { intervals } = platform;
    platform.intercept('heartbeat', () => ({
      answer: { leases: [{ ...fence, directive: null, ...reported }], mode: 'active', intervals, credential: null },
    }));

    await loop.beat(new AbortController().signal);

    expect(lease.leftMs).toBeLessThanOrEqual(mostMs);
    if (mostMs > 0) expect(lease.leftMs).toBeGreaterThan(mostMs - 10_000);
  });

  it('are not sent at once for each request for confirmation while the platform does not answer', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, busy_heartbeat_ms: 60_000 };
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const { loop } = beating(platform);
    const beatenAt: number[] = [];
    platform.intercept('heartbeat', () => {
      beatenAt.push(performance.now());
      return 'cut-before';
    });
    void loop.run(stop.signal);
    let questions = 0;

    await holds(() => {
      loop.ask(++questions);
      return beatenAt.length > 2;
    });

    const [, second = 0, third = 0] = beatenAt;
    expect(third - second).toBeGreaterThanOrEqual(900);
  });

  it('are sent at least three times per lease, whatever interval the platform sets', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, busy_heartbeat_ms: 60_000, lease_ms: 3_000 };
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const { loop } = beating(platform);
    const beatenAt: number[] = [];
    platform.intercept('heartbeat', () => {
      beatenAt.push(performance.now());
      return 'pass';
    });
    void loop.run(stop.signal);

    await holds(() => beatenAt.length > 3, 6_000);

    const [first = 0, , , fourth = 0] = beatenAt;
    expect(fourth - first).toBeLessThan(4_200);
  });
});

const WRITES = [
  'startSubtask',
  'completeSubtasks',
  'failSubtask',
  'releaseSubtask',
  'appendLogs',
  'createArtifact',
  'storeArtifact',
] as const;
const writes = (platform: FakePlatform) => platform.calls.filter(({ name }) => (WRITES as readonly string[]).includes(name));
/** Longer than a loaded machine pauses between a claim and the work. */
const LEASE = { lease_seconds: 4 };

/** A platform that answers no heartbeat until it is available again. */
const silentPlatform = async () => {
  const platform = await startPlatform();
  platform.intervals = { ...platform.intervals, busy_heartbeat_ms: 150 };
  let isUnavailable = true;
  platform.intercept('heartbeat', () => (isUnavailable ? new AppError('unavailable', 'no beat') : 'pass'));
  return { platform, comeBack: () => void (isUnavailable = false) };
};

/** Temporarily refuses a completion if the lease of a claim sent after this call has expired, or almost. */
const refuseWhenOver = (platform: FakePlatform): void => {
  const over = performance.now() + LEASE.lease_seconds * 1_000;
  platform.intercept('completeSubtasks', async () => {
    await holds(() => performance.now() > over);
    return new AppError('unavailable', 'no completion');
  });
};

/** A tool that works until its signal aborts. */
const endless = () => {
  const seen = { started: 0, stopped: 0 };
  const tool = adapterThat(
    ({ signal }) =>
      new Promise((_, reject) => {
        seen.started++;
        signal.addEventListener('abort', () => {
          seen.stopped++;
          reject(new Error('stopped'));
        });
      }),
  );
  return { tool, seen };
};

describe('a worker whose lease may have expired', () => {
  it('stops the tool first, sends nothing until the server has confirmed the lease, and then releases the subtask', async () => {
    const { platform, comeBack } = await silentPlatform();
    const subtask = platform.add(LEASE);
    const { tool, seen } = endless();
    const worker = await agentForTest(platform, { tools: [tool] });
    void worker.run();
    await holds(() => seen.started === 1);
    await holds(() => seen.stopped === 1);
    const asked = platform.of('heartbeat').length;
    await holds(() => platform.of('heartbeat').length > asked + 1);
    const said = writes(platform);
    comeBack();
    await holds(() => platform.ended.has(subtask.subtask_id));

    expect(said).toEqual([]);
    expect(platform.ended.get(subtask.subtask_id)).toMatchObject({
      kind: 'released',
      body: { reason: expect.stringContaining('may have expired') },
    });
    expect(worker.lines).toContainEqual(expect.objectContaining({ event: 'subtask.released', code: 'lease_at_risk' }));
  });

  it('keeps a result that was ready before in memory if the disk fails, and sends it when the server has confirmed the lease', async () => {
    const { platform, comeBack } = await silentPlatform();
    const subtask = platform.add(LEASE);
    const worker = await agentForTest(platform, { settings: { reportForMs: 60_000, maxSpoolBytes: 0 } });
    refuseWhenOver(platform);
    void worker.run();
    const refusals = () => worker.lines.filter(({ operation, error }) => operation === 'complete' && error === 'no beat').length;

    await holds(() => platform.of('completeSubtasks').length > 0);
    await holds(() => refusals() > 0);
    const tries = platform.of('completeSubtasks').length;
    await holds(() => refusals() > 1);
    const later = platform.of('completeSubtasks').length;
    platform.intercept('completeSubtasks', () => 'pass');
    comeBack();
    await holds(() => platform.ended.has(subtask.subtask_id));

    expect(later).toBe(tries);
    expect(platform.output(subtask)).toMatchObject({ text: 'say hello' });
  });

  it('drops such a result when the server reports that its lease is lost, without sending it again', async () => {
    const { platform, comeBack } = await silentPlatform();
    const subtask = platform.add(LEASE);
    const worker = await agentForTest(platform, { settings: { maxSpoolBytes: 0 } });
    refuseWhenOver(platform);
    void worker.run();

    await holds(() => platform.of('completeSubtasks').length > 0);
    await holds(() => worker.lines.some(({ operation, error }) => operation === 'complete' && error === 'no beat'));
    const tries = platform.of('completeSubtasks').length;
    platform.lost.add(subtask.subtask_id);
    comeBack();
    await holds(() => worker.lines.some(({ event, reason }) => event === 'subtask.dropped' && reason === 'lease_lost'));
    await holds(() => worker.agent.running === 0);

    expect(platform.of('completeSubtasks')).toHaveLength(tries);
  });

  it('stores a result that was ready before, and sends it when the server answers again', async () => {
    const { platform, comeBack } = await silentPlatform();
    const subtask = platform.add(LEASE);
    platform.intercept('completeSubtasks', () => new AppError('unavailable', 'no completion'));
    const worker = await agentForTest(platform);
    void worker.run();

    await holds(() => worker.events().includes('result.kept'));
    platform.intercept('completeSubtasks', () => 'pass');
    comeBack();
    await holds(() => platform.ended.has(subtask.subtask_id));

    expect(platform.output(subtask)).toMatchObject({ text: 'say hello' });
  });

  it('drops a stored result whose lease was lost meanwhile, and does not send it again', async () => {
    const { platform, comeBack } = await silentPlatform();
    const subtask = platform.add(LEASE);
    platform.intercept('completeSubtasks', () => new AppError('unavailable', 'no completion'));
    const worker = await agentForTest(platform);
    void worker.run();

    await holds(() => worker.events().includes('result.kept'));
    platform.lost.add(subtask.subtask_id);
    platform.intercept('completeSubtasks', () => 'pass');
    comeBack();
    await holds(() => worker.lines.some(({ event, reason }) => event === 'subtask.dropped' && reason === 'lease_lost'));
    await holds(() => worker.agent.spool.entries === 0 && worker.agent.running === 0);

    expect(platform.ended.has(subtask.subtask_id)).toBe(false);
  });

  it('starts no more processes for a tool that ignores its signal, also after the subtask was released', async () => {
    const { platform, comeBack } = await silentPlatform();
    const subtask = platform.add(LEASE);
    const seen = { started: 0, stopped: 0, goOn: () => {}, answer: '' };
    const tool = adapterThat(async (host) => {
      host.signal.addEventListener('abort', () => seen.stopped++);
      seen.started++;
      await new Promise<void>((resolve) => (seen.goOn = resolve));
      const command = host.spawn(process.execPath, ['-e', ''], { cwd: host.workspace, env: {} });
      seen.answer = await command.then(
        () => 'it ran',
        (error: Error) => error.message,
      );
    });
    const worker = await agentForTest(platform, { tools: [tool] });
    void worker.run();
    await holds(() => seen.started === 1);
    await holds(() => seen.stopped === 1);
    comeBack();
    await holds(() => platform.ended.has(subtask.subtask_id));
    seen.goOn();
    await holds(() => seen.answer !== '');

    expect(platform.ended.get(subtask.subtask_id)).toMatchObject({ kind: 'released' });
    expect(seen.answer).toBe('the work of this attempt is over; no more processes are started for it');
  });

  it('stops waiting for the output of a parent that is being fetched', async () => {
    const { platform, comeBack } = await silentPlatform();
    platform.intercept('getInput', () => new Promise((resolve) => onTestFinished(() => resolve('pass'))));
    const subtask = platform.add({ ...LEASE, inputs: platform.parent('before', null, { included: false }) });
    let answer: unknown;
    const tool = adapterThat((_, job) => job.inputs().catch((error) => void (answer = error)));
    const worker = await agentForTest(platform, { tools: [tool], timeoutMs: 30_000 });
    void worker.run();
    await holds(() => platform.of('getInput').length === 1);
    await holds(() => answer !== undefined);
    comeBack();
    await holds(() => platform.ended.has(subtask.subtask_id));

    expect(answer).toMatchObject({ name: 'AbortError' });
  });

  it('sends another heartbeat in time when one gets no answer, even if other requests have a longer timeout', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, busy_heartbeat_ms: 100, lease_ms: 9_000 };
    const subtask = platform.add({ lease_seconds: 9 });
    const renewals = () => platform.of('heartbeat').filter(({ body }) => body.leases.length > 0).length;
    platform.intercept('heartbeat', ({ body }) =>
      body.leases.length > 0 && renewals() === 1 ? new Promise<Verdict>((resolve) => onTestFinished(() => resolve('pass'))) : 'pass',
    );
    const tool = adapterThat(({ signal }) => holds(() => signal.aborted || renewals() > 2));
    const worker = await agentForTest(platform, { tools: [tool], timeoutMs: 60_000 });

    void worker.run();
    await holds(() => platform.ended.has(subtask.subtask_id));

    expect(platform.ended.get(subtask.subtask_id)?.kind).toBe('completed');
  });

  /** Confirms leases a while after it was asked. */
  const slowToConfirm = (platform: FakePlatform) => {
    const confirmedAt = new Map<string, number>();
    const begunAt = new Map<string, number>();
    platform.intercept('heartbeat', async ({ body }): Promise<Verdict> => {
      if (body.leases.length === 0) return 'pass';
      const askedAt = performance.now();
      await holds(() => performance.now() - askedAt > 1_000);
      for (const { subtask_id } of body.leases) if (!confirmedAt.has(subtask_id)) confirmedAt.set(subtask_id, performance.now());
      return 'pass';
    });
    const tool = adapterThat((_, { subtask_id }) => {
      begunAt.set(subtask_id, performance.now());
      return 'done';
    });
    const expectAskedFirst = ({ subtask_id }: { subtask_id: string }) =>
      expect(begunAt.get(subtask_id)).toBeGreaterThan(confirmedAt.get(subtask_id) ?? Infinity);
    return { tool, expectAskedFirst };
  };

  it('confirms the lease before it begins if the answer to its claim came that late', async () => {
    const platform = await startPlatform();
    const begun = performance.now();
    platform.intercept('claimSubtasks', () => (performance.now() - begun < 2_000 ? 'cut-after' : 'pass'));
    const subtask = platform.add({ lease_seconds: 1 });
    const { tool, expectAskedFirst } = slowToConfirm(platform);
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    expectAskedFirst(subtask);
    expect(platform.output(subtask)).toBe('done');
  });

  it('confirms the lease before it begins if the claim in a completion was first sent that long ago', async () => {
    const platform = await startPlatform();
    platform.add({ key: 'first' });
    const second = platform.add({ key: 'second', lease_seconds: 1 });
    let tries = 0;
    platform.intercept('completeSubtasks', async (): Promise<Verdict> => {
      if (tries++ > 0) return 'pass';
      const sentAt = performance.now();
      await holds(() => performance.now() - sentAt > 1_500);
      return 'cut-after';
    });
    const { tool, expectAskedFirst } = slowToConfirm(platform);
    const worker = await agentForTest(platform, { tools: [tool], settings: { directMs: 60_000 } });
    void worker.run();

    await holds(() => platform.ended.has(second.subtask_id));

    expectAskedFirst(second);
  });
});

/** When heartbeats that name a lease came. */
const timesOfRenewals = (platform: FakePlatform): number[] => {
  const times: number[] = [];
  platform.intercept('heartbeat', ({ body }) => {
    if (body.leases.length > 0) times.push(performance.now());
    return 'pass';
  });
  return times;
};
const longestGap = (times: readonly number[]): number => Math.max(0, ...times.slice(1).map((time, at) => time - (times[at] as number)));

describe.skipIf(process.platform === 'win32')('a worker whose main thread is blocked', { timeout: 60_000 }, () => {
  it('loses no lease if that is short', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, busy_heartbeat_ms: 1_000, lease_ms: 7_000 };
    const subtask = platform.add({ lease_seconds: 7 });
    await blocked(platform, 8_500, 30_000);

    await waitFor('the result', () => platform.ended.has(subtask.subtask_id), 20_000);

    expect(platform.output(subtask)).toEqual({ command: true });
  });

  it('has its leases given up and its tools killed by the other thread if that is too long, and releases the subtask later', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const renewedAt = timesOfRenewals(platform);
    const { running, isRunning } = await blocked(platform, 12_000, 4_000);

    await waitFor('the command to be gone', () => !isRunning(), 20_000);
    const output = running.output();
    const said = writes(platform);
    await waitFor('the subtask to be given back', () => platform.ended.has(subtask.subtask_id), 20_000);

    expect(output).not.toContain('unblocked');
    expect(said).toEqual([]);
    expect(longestGap(renewedAt)).toBeGreaterThan(6_000);
    expect(platform.ended.get(subtask.subtask_id)).toMatchObject({ kind: 'released' });
  });
});
