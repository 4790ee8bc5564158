import { isDeepStrictEqual } from 'node:util';
import { describe, expect } from 'vitest';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { followTopic, openSocket } from './support/socket.ts';
import { targetForFile } from './support/target.ts';
import { enrolByHand } from './support/workers.ts';

describe('a WebSocket', { timeout: 120_000 }, () => {
  const { owner } = targetForFile();
  const ticket = () => owner().client.createTicket();
  const submitTwo = () =>
    owner().client.submitTask({
      body: {
        goal: 'two steps',
        subtasks: [
          { key: 'a', goal: 'first' },
          { key: 'b', goal: 'second', dependencies: ['a'] },
        ],
      },
    });

  behaves('receives the events of a task while the task runs', async () => {
    const { task_id } = await submitTwo();
    const socket = await followTopic(ticket, `task:${task_id}`, 0);
    const worker = await enrolByHand(owner());

    for (let done = 0; done < 2; done++) {
      const [claimed] = await until('work', async () => {
        const found = await worker.claim();
        return found.length > 0 && found;
      });
      await worker.complete(claimed!);
    }

    const { items } = await owner().client.listEvents({ params: { task_id } });
    const pushed = await until('every event', () => {
      const bySeq = new Map(socket.events().map((event) => [event.seq, event]));
      return bySeq.size === items.length && bySeq;
    });
    expect(items.at(-1)?.type).toBe('task.completed');
    expect([...pushed.values()].toSorted((a, b) => a.seq - b.seq)).toEqual(items);
  });

  behaves('that subscribes with an event number receives only the events after it', async () => {
    const { task_id } = await submitTwo();
    await owner().client.cancelTask({ params: { task_id } });
    const { items, last_seq } = await owner().client.listEvents({ params: { task_id }, query: { after_seq: 2 } });

    // Recent events may still be pushed, even to a socket that subscribed later. Once they were pushed, a new socket receives only its replay.
    const subscribed = await until('a socket that receives only those events', async () => {
      const socket = await followTopic(ticket, `task:${task_id}`, 2);
      return isDeepStrictEqual(socket.events(), items) && socket.received('subscribed');
    });

    expect(items.length).toBeGreaterThan(0);
    expect(subscribed.last_seq).toBe(last_seq);
  });

  behaves('receives changes of all tasks by their topic, until it unsubscribes', async () => {
    const socket = await followTopic(ticket, 'tasks');

    const { task_id } = await submitTwo();

    await until('the change of the task', () => socket.frames.some((it) => it.type === 'task' && it.task.task_id === task_id));
    socket.send({ action: 'unsubscribe', topic: 'tasks' });
    await socket.received('unsubscribed');
  });

  behaves('notifies a worker that waits for work', async () => {
    const worker = await enrolByHand(owner());
    const workerTicket = () => worker.client.createWorkerTicket({ params: { worker_id: worker.worker_id } });
    const socket = await followTopic(workerTicket, `worker:${worker.worker_id}`);
    await worker.client.heartbeat({ params: { worker_id: worker.worker_id }, body: {} });

    await submitTwo();

    await socket.received('doorbell');
  });

  behaves('is opened by a valid ticket, and only once', async () => {
    const { url } = await ticket();
    const first = await openSocket(url);
    const second = await openSocket(url);
    const stranger = await openSocket(url.replace(/ticket=[^&]+/, 'ticket=unknown'));

    expect([first.state(), second.state(), stranger.state()]).toEqual(['open', 'refused', 'refused']);
  });

  behaves('replies to an invalid frame with an error, and stays open', async () => {
    const socket = await followTopic(ticket, 'tasks');

    socket.send({ action: 'jump' } as never);
    expect(await socket.received('error')).toMatchObject({ code: 'invalid_request' });

    socket.send({ action: 'ping' });
    await socket.received('pong');
  });
});
