import { describe, expect, it } from 'vitest';
import { AppError } from '../../../schema/errors.ts';
import type { Intervals } from '../../../schema/worker.ts';
import { WorkerRevoked } from '../../../worker-agent/src/agent/agent.ts';
import { SocketLoop } from '../../../worker-agent/src/agent/socket-loop.ts';
import type { AgentAdapter } from '../../../worker-agent/src/tools/adapter.ts';
import { adapterThat } from '../../support/adapter.ts';
import { agentForTest, holds } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';
import { pushFor } from '../support/fake-push.ts';

const HOUR = 3_600_000;
const slow = { idle_heartbeat_ms: HOUR, busy_heartbeat_ms: HOUR, claim_poll_ms: HOUR, lease_ms: 12 * HOUR };

/** A tool that works until its signal aborts. */
const endless = adapterThat(
  ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true })),
);

/**
 * A worker that has its socket open and has claimed twice since without result: at once, and again after its heartbeat. That heartbeat is
 * answered late, so that its claim comes last.
 */
const pushed = async ({ intervals = slow, ...given }: { intervals?: Intervals; tools?: AgentAdapter[]; slots?: number } = {}) => {
  const platform = await startPlatform();
  platform.intervals = intervals;
  const push = await pushFor(platform);
  const claims = () => platform.of('claimSubtasks').length;
  platform.intercept('heartbeat', async () => {
    if (platform.of('heartbeat').length > 1) await holds(() => claims() >= 2);
    return 'pass' as const;
  });
  const worker = await agentForTest(platform, given);
  const run = worker.run();
  run.catch(() => {});
  await holds(() => worker.events().includes('push.began') && claims() >= 3);
  return { platform, push, worker, run, claims };
};

describe('a worker with a socket', () => {
  it('subscribes to its topic, and then claims and sends a heartbeat', async () => {
    const { push, platform } = await pushed();

    await holds(() => platform.of('heartbeat').length === 2);

    expect(push.received).toEqual([{ action: 'subscribe', topic: push.topic }]);
  });

  it('claims when it is rung', async () => {
    const { platform, push } = await pushed();
    const subtask = platform.add();

    push.ring();
    await holds(() => platform.ended.has(subtask.subtask_id));
  });

  it('claims again when it was rung while a claim was in progress', async () => {
    const { platform, push, worker, claims } = await pushed({ tools: [endless], slots: 2 });
    const held = platform.add();
    push.ring();
    await holds(() => worker.agent.running === 1);
    const asked = claims();
    let answer = () => {};
    platform.intercept('claimSubtasks', async () => {
      if (claims() > asked + 1) return 'pass';
      await new Promise<void>((resolve) => (answer = resolve));
      return { answer: { claimed: [], empty_reason: 'nothing_ready', claim_poll_ms: HOUR } };
    });
    push.ring();
    await holds(() => claims() === asked + 1);

    const beats = platform.of('heartbeat').length;
    push.ring();
    push.cancel(held.subtask_id);
    await holds(() => platform.of('heartbeat').length > beats); // so the ring was received too
    answer();

    await holds(() => claims() === asked + 2);
  });

  it('rarely polls while it can be rung, and polls at the interval of the server when it cannot', async () => {
    const { platform, push, claims, worker } = await pushed({ intervals: { ...slow, idle_heartbeat_ms: 10, claim_poll_ms: 10 } });
    let asked: number;
    do {
      asked = claims(); // claims that were sent when the socket opened may still arrive
      const before = platform.of('heartbeat').length;
      await holds(() => platform.of('heartbeat').length > before + 20);
    } while (claims() > asked);

    push.goAway();
    await holds(() => claims() > asked + 3);

    expect(worker.events()).toContain('push.ended');
  });

  it('continues to poll while it is paused, since the server does not ring when the pause ends', async () => {
    const { platform, push, claims } = await pushed();
    platform.intercept('claimSubtasks', () => ({ answer: { claimed: [], empty_reason: 'worker_paused', claim_poll_ms: 5 } }));

    push.ring();
    await holds(() => claims() > 5);
  });

  it('sends a heartbeat at once when one of its subtasks was cancelled, and trusts only the answer to it', async () => {
    const { platform, push, worker } = await pushed({ tools: [endless] });
    const [kept, cancelled] = [platform.add(), platform.add()];
    push.ring();
    await holds(() => worker.agent.running === 1);
    await holds(() => platform.of('heartbeat').length >= 2);

    const beats = platform.of('heartbeat').length;
    push.cancel(cancelled.subtask_id);
    push.cancel(kept.subtask_id);
    await holds(() => platform.of('heartbeat').length === beats + 1);
    expect(worker.agent.running).toBe(1);
    platform.cancelled.add(kept.subtask_id);
    push.cancel(kept.subtask_id);
    await holds(() => worker.events().includes('subtask.cancelled'));
  });

  it('reports free slots at once after it reported that all were in use', async () => {
    let isDone = false;
    const tool = adapterThat(() => holds(() => isDone));
    const { platform, push, worker } = await pushed({ tools: [tool] });
    const subtask = platform.add();
    push.ring();
    await holds(() => worker.agent.running === 1);
    push.cancel(subtask.subtask_id);
    await holds(() => platform.of('heartbeat').at(-1)?.body.leases.length === 1);

    isDone = true;

    await holds(() => platform.of('heartbeat').at(-1)?.body.leases.length === 0);
  });

  it('stops when the server reports that it was removed', async () => {
    const { platform, push, run } = await pushed();
    platform.intercept('createWorkerTicket', () => new AppError('worker_revoked', 'This worker was removed'));

    push.cut();

    await expect(run).rejects.toThrow(WorkerRevoked);
  });
});

describe('the socket loop', () => {
  it('sends its topics with each ping', async () => {
    const platform = await startPlatform();
    const push = await pushFor(platform);
    const stop = new AbortController();
    const { worker_id } = platform.worker;
    const ticket = async () => platform.handlers.createWorkerTicket?.({} as never) as { url: string };
    const silent = { onLive: () => {}, onDoorbell: () => {}, onCancel: () => {}, onError: () => {} };

    const run = new SocketLoop({ api: { ticket }, workerId: worker_id, clocks: { beatMs: 5 }, ...silent }).run(stop.signal);
    await holds(() => push.received.length >= 3);
    stop.abort();
    await run;

    expect(push.received.slice(0, 3)).toEqual([
      { action: 'subscribe', topic: push.topic },
      { action: 'ping', topics: [push.topic] },
      { action: 'ping', topics: [push.topic] },
    ]);
  });
});
