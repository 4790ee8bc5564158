import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../../functions/domain/maintenance/maintenance.ts';
import { relay } from '../../../functions/domain/outbox/relay.ts';
import type { QueueMessage } from '../../../functions/domain/ports/queues.ts';
import type { Sql } from '../../../functions/domain/ports/sql.ts';
import { tickEachMinute } from '../../../functions/schedule/tick.ts';
import { drain, enrol } from '../../support/worker.ts';
import { backendWithQueues } from './support/live.ts';

const left = async (sql: Sql) => (await sql`select outbox_id from outbox`).length;
/** As if the rows had been written long ago. */
const age = (sql: Sql) => sql`update outbox set available_at = clock_timestamp()`;

const DAG = {
  goal: 'x',
  subtasks: [
    { key: 'a', goal: 'a' },
    { key: 'b', goal: 'b', dependencies: ['a'] },
  ],
};

describe('an outbox message of a transaction', () => {
  it('is sent through the queues at once, and the outbox becomes empty', async () => {
    const { backend } = await backendWithQueues();
    const worker = await enrol(backend);

    await backend.admin.ok.submitTask({ body: DAG });
    await drain(worker);

    await expect.poll(() => left(backend.ctx.sql), { timeout: 15_000 }).toBe(0);
  });

  it('carries the id of the request that caused it, through the queues to the events', async () => {
    const { backend, held, hold } = await backendWithQueues();
    const worker = await enrol(backend);
    hold(true);
    const submitted = await backend.admin.submitTask({ body: DAG, headers: { 'idempotency-key': 'k' } });
    const [claimed] = await worker.claim();
    if (!claimed) throw new Error('nothing was claimed');
    const completed = await worker.complete(claimed);

    const { items } = await backend.admin.ok.listEvents({ params: { task_id: submitted.body.task_id } });

    const idOf = (reply: { headers: Record<string, string> }) => reply.headers['x-request-id'];
    const by = (type: string) => items.filter((event) => event.type === type).map((event) => event.request_id);
    expect(by('task.submitted')).toEqual([idOf(submitted)]);
    expect(by('subtask.completed')).toEqual([idOf(completed)]);
    const sent = held.flatMap(([, messages]) => messages.map(({ body }) => (JSON.parse(body) as { request_id: string }).request_id));
    expect(new Set(sent)).toEqual(new Set(items.map((event) => event.request_id)));
  });

  it.each([
    ['held back by SQS for a wait of up to 15 minutes', 10 * 60_000],
    ['kept for the relay where the wait is longer, since SQS would bring it too early', 1_900_000],
  ])('is %s', async (_, base_ms) => {
    const { backend, held, hold } = await backendWithQueues();
    const worker = await enrol(backend);
    const retry = { on: ['tool_error' as const], base_ms, max_ms: base_ms };
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: [{ key: 'a', goal: 'a', retry }] } });
    const [claimed] = await worker.claim();
    if (!claimed) throw new Error('nothing was claimed');
    await expect.poll(() => left(backend.ctx.sql), { timeout: 15_000 }).toBe(0);
    hold(true);

    await worker.fail(claimed);

    const sent = held
      .filter(([queue]) => queue === 'subtasks')
      .flatMap(([, messages]) => messages.map(({ delaySeconds = 0 }) => delaySeconds));
    if (base_ms > 900_000) expect(sent).toEqual([]);
    else expect(sent.filter((seconds) => seconds >= base_ms / 2_000 && seconds <= base_ms / 1_000)).toHaveLength(1);
    const [row] = await backend.ctx.sql<[{ seconds: number }]>`
      select extract(epoch from available_at - clock_timestamp())::float8 as seconds from outbox where topic = 'ready'`;
    expect(row.seconds).toBeGreaterThan(base_ms / 2_000);
  });

  it('is also sent at once when the reaper wrote it', async () => {
    const { backend } = await backendWithQueues();
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await (await enrol(backend)).claim();
    await expect.poll(() => left(backend.ctx.sql), { timeout: 15_000 }).toBe(0);
    await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second'`;

    expect(await endOverdue(backend.ctx)).toMatchObject({ reaped: 1 });

    await expect.poll(() => left(backend.ctx.sql), { timeout: 15_000 }).toBe(0);
  });

  it('is sent by the relay when the process that committed it was killed before sending', async () => {
    const { backend, hold } = await backendWithQueues();
    hold(true);
    await backend.admin.ok.submitTask({ body: DAG });
    hold(false);
    expect(await left(backend.ctx.sql)).toBe(2);

    expect(await relay(backend.ctx)).toEqual({ relayed: 0, postponed: 0 });
    await age(backend.ctx.sql);
    expect(await relay(backend.ctx)).toEqual({ relayed: 2, postponed: 0 });

    await expect.poll(() => left(backend.ctx.sql), { timeout: 15_000 }).toBe(0);
  });

  it('can be sent twice, and out of order, without a second effect', async () => {
    const { backend, client, held, hold } = await backendWithQueues();
    const worker = await enrol(backend);
    hold(true);
    const { task_id } = await backend.admin.ok.submitTask({ body: DAG });
    await drain(worker);
    hold(false);

    for (const [queue, messages] of [...held.toReversed(), ...held]) await client.send(queue, messages);

    await expect.poll(() => left(backend.ctx.sql), { timeout: 15_000 }).toBe(0);
    const { items } = await backend.admin.ok.listEvents({ params: { task_id } });
    expect(items.map((event) => event.seq)).toEqual(items.map((_, at) => at + 1));
    expect(await backend.ctx.hints.propose(await organization(backend.ctx.sql), ['scripted'], 10)).toBeNull();
    expect(backend.logged).toEqual([]);
  });

  it('takes effect in time although the tick runs only once a minute', async () => {
    const { backend, client } = await backendWithQueues();
    const { sql } = backend.ctx;
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: DAG });
    await worker.claim();
    const sent: QueueMessage[] = [];
    const queues = { ...client, send: async (_: string, messages: readonly QueueMessage[]) => (sent.push(...messages), []) };
    const lines: unknown[] = [];
    await tickEachMinute({ ...backend.ctx, queues, log: (...line) => void lines.push(line) });
    expect(lines).toEqual([['info', 'load', { ready: 0, running: 1, slots: 64, per_slot: 1 / 64 }]]);
    expect(sent.map(({ delaySeconds }) => delaySeconds)).toEqual([10, 20, 30, 40, 50]);
    await sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second'`;

    await client.send(
      'subtasks',
      sent.slice(0, 1).map((it) => ({ ...it, delaySeconds: 0 })),
    );

    const open = async () => (await sql`select from attempts where ended_at is null`).length;
    await expect.poll(open, { timeout: 15_000 }).toBe(0);
    expect(backend.logged).toEqual([]);
  });

  it('is processed in one run of the relay, however many rows were left', async () => {
    const { backend, hold } = await backendWithQueues();
    hold(true);
    const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
    await backend.ctx.sql`
      insert into outbox (organization_id, topic, payload, available_at)
      select ${organization_id}, 'ready', jsonb_build_object('subtask_ids', jsonb_build_array(gen_random_uuid())), clock_timestamp()
      from generate_series(1, 250)`;

    expect(await relay(backend.ctx)).toEqual({ relayed: 250, postponed: 0 });
  });

  it('counts in the load per slot of the workers that are online, without dead ones', async () => {
    const { backend } = await backendWithQueues();
    const [idle] = [await enrol(backend), await enrol(backend)];
    await backend.admin.ok.submitTask({ body: DAG });
    await backend.ctx.sql`update workers set last_seen_at = clock_timestamp() - interval '1 hour'`;
    await idle.heartbeat();
    const lines: unknown[] = [];

    await tickEachMinute({ ...backend.ctx, log: (...line) => void lines.push(line) });

    expect(lines).toEqual([['info', 'load', { ready: 1, running: 0, slots: 64, per_slot: 1 / 64 }]]);
  });

  it('is processed by the relay itself while no queue accepts it', async () => {
    const { backend, sqs } = await backendWithQueues();
    await sqs.close();
    await backend.admin.ok.submitTask({ body: DAG });
    await age(backend.ctx.sql);

    expect(await relay(backend.ctx)).toEqual({ relayed: 2, postponed: 0 });

    expect(await left(backend.ctx.sql)).toBe(0);
  });

  it('that breaks a batch becomes a dead letter with the reason; the others of its batch are processed once', async () => {
    const { backend, client } = await backendWithQueues({}, { visibilitySeconds: 1 });
    const organization_id = await organization(backend.ctx.sql);
    const poison = { outbox_id: 1, organization_id, topic: 'events', payload: { ranges: [['not a uuid', 1, 1]] } };
    await backend.admin.ok.submitTask({ body: DAG });
    await client.send('events', [
      { id: 'poison', body: JSON.stringify(poison) },
      { id: 'nonsense', body: 'no JSON' },
    ]);
    for (let n = 0; n < 8; n++) await backend.admin.ok.submitTask({ body: DAG });

    // A message that is handled for longer than its visibility timeout is received again: it may be buried twice, or moved by the queue too.
    const dead = async () => {
      const { letters } = await client.listDead('events');
      return Object.fromEntries(letters.filter(({ reason }) => reason !== null).map(({ body, reason }) => [body, reason]));
    };
    await expect
      .poll(dead, { timeout: 25_000 })
      .toEqual({ [JSON.stringify(poison)]: expect.stringMatching(/UUID/i), 'no JSON': expect.stringContaining('JSON') });
    await expect.poll(() => left(backend.ctx.sql), { timeout: 15_000 }).toBe(0);
  }, 40_000);
});

const organization = async (sql: Sql) =>
  (await sql<[{ organization_id: string }]>`select organization_id from organizations`)[0].organization_id;

describe('dead letters', () => {
  it('are listed with their reason and redriven once the cause is fixed; those of other organizations are hidden', async () => {
    const { backend, client } = await backendWithQueues();
    const { key } = await backend.newKey({ organization: 'abroad' });
    const organization_id = await organization(backend.ctx.sql);
    const { task_id } = await backend.admin.ok.submitTask({ body: DAG });
    const body = JSON.stringify({ outbox_id: 1, organization_id, topic: 'events', payload: { ranges: [[task_id, 1, 1]] } });
    await client.bury('events', body, 'the cause');

    const query = { queue: 'events' } as const;
    expect((await backend.admin.ok.listDeadLetters({ query })).items).toMatchObject([{ topic: 'events', reason: 'the cause', body }]);
    expect((await backend.as(key).ok.listDeadLetters({ query })).items).toEqual([]);
    expect(await backend.admin.ok.redriveDeadLetters({ body: query })).toEqual({ moved: 1 });

    await expect.poll(async () => (await client.listDead('events')).letters, { timeout: 15_000 }).toEqual([]);
  }, 30_000);
});
