import { describe, expect, it } from 'vitest';
import { type Backend, backendForTest } from '../support/backend.ts';
import { enrol } from '../support/worker.ts';

const many = (count: number, more: object = {}) => Array.from({ length: count }, (_, n) => ({ key: `s${n}`, goal: 'x', ...more }));

const ownersInOrder = async (worker: Awaited<ReturnType<typeof enrol>>, owners: Record<string, string>, claims: number) => {
  const order: string[] = [];
  for (let n = 0; n < claims; n++) {
    const [claimed] = await worker.claim();
    if (claimed === undefined) break;
    order.push(owners[claimed.task_id] ?? '?');
    await worker.complete(claimed);
  }
  return order.join('');
};

describe('owners', () => {
  it('take turns: a thousand subtasks of one owner delay the ten of another by at most one round', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const other = backend.as((await backend.newKey()).key);
    const large = await backend.admin.ok.submitTask({ body: { goal: 'large', subtasks: many(1_000) } });
    const warmup = await ownersInOrder(worker, { [large.task_id]: 'A' }, 7);

    const small = await other.ok.submitTask({ body: { goal: 'small', subtasks: many(10) } });
    const order = await ownersInOrder(worker, { [large.task_id]: 'A', [small.task_id]: 'b' }, 22);

    expect(warmup).toBe('AAAAAAA');
    expect(order.replaceAll('A', '')).toBe('bbbbbbbbbb');
    expect(order.lastIndexOf('b')).toBeLessThanOrEqual(20);
  });

  it('that join later are not compensated for turns before they joined', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const other = backend.as((await backend.newKey()).key);
    const early = await backend.admin.ok.submitTask({ body: { goal: 'early', subtasks: many(60) } });
    await ownersInOrder(worker, { [early.task_id]: 'A' }, 30);

    const late = await other.ok.submitTask({ body: { goal: 'late', subtasks: many(30) } });
    const order = await ownersInOrder(worker, { [early.task_id]: 'A', [late.task_id]: 'b' }, 20);

    expect(order.split('A').length - 1).toBe(10);
  });

  it('keep their turns within a priority, and a higher priority goes first', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const normal = await backend.admin.ok.submitTask({ body: { goal: 'n', subtasks: many(5) } });
    const urgent = await backend.admin.ok.submitTask({ body: { goal: 'u', priority: 9, subtasks: many(3) } });
    const lazy = await backend.admin.ok.submitTask({ body: { goal: 'l', priority: 0, subtasks: many(3) } });
    const owners = { [normal.task_id]: 'n', [urgent.task_id]: 'u', [lazy.task_id]: 'l' };

    const { version } = await backend.admin.ok.getTask({ params: { task_id: lazy.task_id } });
    await backend.admin.ok.updateTask({ params: { task_id: lazy.task_id }, body: { version, priority: 7 } });

    expect(await ownersInOrder(worker, owners, 20)).toBe('uuulllnnnnn');
  });

  it('take turns in each priority, independent of their turns in other priorities', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const other = backend.as((await backend.newKey()).key);
    await backend.admin.ok.submitTask({ body: { goal: 'much', priority: 0, subtasks: many(20) } });
    const first = await backend.admin.ok.submitTask({ body: { goal: 'A', priority: 7, subtasks: many(3) } });
    const second = await other.ok.submitTask({ body: { goal: 'b', priority: 7, subtasks: many(3) } });

    expect(await ownersInOrder(worker, { [first.task_id]: 'A', [second.task_id]: 'b' }, 6)).toBe('AbAbAb');
  });

  it('are served across several tools of one worker in the same order', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend, { tools: ['exec', 'scripted'] });
    const low = await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: many(2, { tool: 'exec' }) } });
    const high = await backend.admin.ok.submitTask({ body: { goal: 'x', priority: 8, subtasks: many(2, { tool: 'scripted' }) } });

    expect(await ownersInOrder(worker, { [low.task_id]: 'l', [high.task_id]: 'h' }, 9)).toBe('hhll');
  });
});

describe('a subtask that was released', () => {
  it('is claimed before those that have not had their turn yet', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: many(5) } });
    const [given] = await worker.claim();
    if (given === undefined) throw new Error('nothing was claimed');

    await worker.release(given);

    expect((await worker.claim()).map((it) => it.subtask_id)).toEqual([given.subtask_id]);
  });
});

describe('a subtask that no worker here can take', () => {
  it('blocks no subtask behind it, whether the cause is its label, tool, owner, pause or wait', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend, { labels: { os: 'linux' } });
    const { owner_id, key } = await backend.newKey();
    const picky = await enrol(backend, { owner_ids: [owner_id] });
    await backend.admin.ok.submitTask({ body: { goal: 'x', priority: 9, subtasks: many(300, { labels: { gpu: 'yes' } }) } });
    await backend.admin.ok.submitTask({ body: { goal: 'x', priority: 9, subtasks: many(20, { tool: 'claude' }) } });
    const paused = await backend.admin.ok.submitTask({ body: { goal: 'x', priority: 9, subtasks: many(20) } });
    await backend.admin.ok.pauseTask({ params: { task_id: paused.task_id } });
    const waiting = await backend.admin.ok.submitTask({ body: { goal: 'x', priority: 9, subtasks: many(20) } });
    await backend.ctx
      .sql`update queue_entries set run_after = clock_timestamp() + interval '1 hour' where subtask_id in (select subtask_id from subtasks where task_id = ${waiting.task_id})`;
    const free = await backend.admin.ok.submitTask({ body: { goal: 'x', labels: { os: 'linux' } } });

    expect((await picky.claim(10)).map((it) => it.task_id)).toEqual([]);
    expect((await worker.claim(10)).map((it) => it.task_id)).toEqual([free.task_id]);

    const theirs = await backend.as(key).ok.submitTask({ body: { goal: 'x' } });
    expect((await picky.claim(10)).map((it) => it.task_id)).toEqual([theirs.task_id]);
  });

  it('is never seen by workers of another organization', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const stranger = backend.as((await backend.newKey({ organization: 'elsewhere' })).key);
    await stranger.ok.submitTask({ body: { goal: 'x' } });

    expect(await worker.claim(10)).toEqual([]);
  });
});

describe('explain', () => {
  const explained = async (backend: Backend, task_id: string, key = 'main') => {
    const { items } = await backend.admin.ok.listSubtasks({ params: { task_id }, query: { limit: 200 } });
    const subtask_id = items.find((it) => it.key === key)?.subtask_id ?? '';
    return backend.admin.ok.explainSubtask({ params: { subtask_id } });
  };
  const codes = (explanation: Awaited<ReturnType<typeof explained>>) => explanation.waits.map((wait) => wait.code);

  it('returns one code for each hard rule that excludes a worker, and a worker without a code gets the subtask', async () => {
    const backend = await backendForTest();
    const { owner_id } = await backend.newKey();
    const workers = {
      tool_missing: await enrol(backend, { tools: ['exec'], labels: { os: 'linux' } }),
      label_missing: await enrol(backend),
      owner_not_allowed: await enrol(backend, { labels: { os: 'linux' }, owner_ids: [owner_id] }),
      worker_paused: await enrol(backend, { labels: { os: 'linux' } }),
      worker_draining: await enrol(backend, { labels: { os: 'linux' } }),
      no_free_slot: await enrol(backend, { labels: { os: 'linux' }, slots: 1 }),
      worker_offline: await enrol(backend, { labels: { os: 'linux' } }),
    };
    await backend.admin.ok.submitTask({ body: { goal: 'x', labels: { os: 'linux' } } });
    await workers.no_free_slot.claim();
    for (const [mode, worker] of [
      ['paused', workers.worker_paused],
      ['draining', workers.worker_draining],
    ] as const)
      await backend.admin.ok.updateWorker({ params: { worker_id: worker.worker_id }, body: { version: 1, mode } });
    await backend.ctx
      .sql`update workers set last_seen_at = clock_timestamp() - interval '1 hour' where worker_id = ${workers.worker_offline.worker_id}`;

    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'y', labels: { os: 'linux' } } });
    const explanation = await explained(backend, task_id);

    const obstacles = Object.fromEntries(explanation.workers.map((it) => [it.worker_id, it.obstacles.map((obstacle) => obstacle.code)]));
    for (const [code, worker] of Object.entries(workers)) expect(obstacles[worker.worker_id]).toEqual([code]);
    expect(codes(explanation)).toEqual(['workers_busy']);
    // An offline worker is excluded only because it is offline: when it does claim, it gets the subtask.
    for (const [code, worker] of Object.entries(workers)) if (code !== 'worker_offline') expect(await worker.claim()).toEqual([]);
    expect(await workers.worker_offline.claim()).toHaveLength(1);
  });

  it('returns a code for each kind of wait', async () => {
    const backend = await backendForTest();
    const { task_id } = await backend.admin.ok.submitTask({
      body: {
        goal: 'x',
        subtasks: [
          { key: 'a', goal: 'a' },
          { key: 'b', goal: 'b', dependencies: ['a'] },
          { key: 'c', goal: 'c' },
        ],
      },
    });
    const params = { task_id };

    expect(codes(await explained(backend, task_id, 'a'))).toEqual(['no_worker_qualifies']);
    expect(codes(await explained(backend, task_id, 'b'))).toEqual(['dependencies']);
    const worker = await enrol(backend);
    expect(await explained(backend, task_id, 'a')).toMatchObject({ ahead: 0, waits: [{ code: 'turn' }] });
    expect(await explained(backend, task_id, 'c')).toMatchObject({ ahead: 1, waits: [{ code: 'turn' }] });
    await backend.admin.ok.pauseTask({ params });
    expect(codes(await explained(backend, task_id, 'a'))).toEqual(['task_paused']);
    await backend.admin.ok.resumeTask({ params });
    await backend.ctx.sql`update subtasks set run_after = clock_timestamp() + interval '1 hour' where key = 'c'`;
    expect(codes(await explained(backend, task_id, 'c'))).toContain('retry_time');
    const [claimed] = await worker.claim();
    expect(codes(await explained(backend, task_id, 'a'))).toEqual(['in_progress']);
    if (claimed) await worker.complete(claimed);
    expect(codes(await explained(backend, task_id, 'a'))).toEqual(['ended']);
  });

  it('counts as ahead only what the same workers may take, and counts every parent that has not completed', async () => {
    const backend = await backendForTest();
    await enrol(backend);
    const unmatched = Array.from({ length: 5 }, (_, n) => ({ key: `u${n}`, goal: 'x', labels: { gpu: 'yes' } }));
    await backend.admin.ok.submitTask({ body: { goal: 'ahead', subtasks: [...unmatched, { key: 'matched', goal: 'x' }] } });
    const parents = Array.from({ length: 80 }, (_, n) => ({ key: `p${n}`, goal: 'x' }));
    const child = { key: 'child', goal: 'x', dependencies: parents.map(({ key }) => key) };

    const plain = await backend.admin.ok.submitTask({ body: { goal: 'behind' } });
    const wide = await backend.admin.ok.submitTask({ body: { goal: 'wide', subtasks: [...parents, child] } });

    expect(await explained(backend, plain.task_id)).toMatchObject({ ahead: 1 });
    const [wait] = (await explained(backend, wide.task_id, 'child')).waits;
    expect(wait).toMatchObject({ code: 'dependencies', message: 'parents that have not completed: 80' });
    expect(wait?.subtask_ids).toHaveLength(50);
  });
});
