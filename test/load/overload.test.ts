import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../schema/client/client.ts';
import { startSystem, type System } from '../support/processes.ts';

const WORKERS = 10;
const SLOTS = 10;
const LEASE_MS = 10_000;
const BEAT_MS = 500;
/** How long to wait for a response: without one, a worker gives up its lease. */
const PATIENCE_MS = LEASE_MS / 2;
const CALLERS = 16;
const PEAK_MS = 5_000;
const OVERLOAD_MS = process.env.CI ? 12_000 : 25_000;
/** The rate of submits during the overload, as a multiple of the peak throughput. */
const TIMES = 3;

type Outcome = { status: number; ms: number; retryAfter: string | undefined; body: unknown };

/** Sends requests with little overhead, because it shares the machine with the server. */
const senderOf = (url: string, token: string) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
  onTestFinished(() => agent.destroy());
  return (method: string, path: string, body?: unknown): Promise<Outcome> => {
    const began = performance.now();
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const settle = (status: number, retryAfter: string | undefined, answered: unknown) =>
      resolve({ status, ms: performance.now() - began, retryAfter, body: answered });
    const sent = request(`${url}${path}`, { agent, method, headers }, (response) => {
      const { statusCode = 0, headers: answered } = response;
      json(response).then(
        (it) => settle(statusCode, answered['retry-after'], it),
        () => settle(0, undefined, null),
      );
    });
    sent.on('error', () => settle(0, undefined, null));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  };
};

/** Workers that together hold a hundred leases and send heartbeats. */
const holdLeases = async ({ admin, url }: System) => {
  const subtasks = Array.from({ length: WORKERS * SLOTS }, (_, n) => ({ key: `s${n}`, goal: 'x', timeout_seconds: 600, tool: 'scripted' }));
  await admin.submitTask({ body: { goal: 'held', subtasks } });
  return Promise.all(
    Array.from({ length: WORKERS }, async () => {
      const { enrolment_token } = await admin.createEnrolmentToken({ body: { tools: ['scripted'] } });
      const body = { name: 'w', machine_name: 'test', tools: ['scripted'], slots: SLOTS };
      const { worker, credential } = await createClient({ url, token: enrolment_token }).registerWorker({ body });
      const params = { worker_id: worker.worker_id };
      const own = createClient({ url, token: credential });
      const { claimed } = await own.claimSubtasks({ params, body: { claim_request_id: randomUUID(), limit: SLOTS, start: true } });
      const leases = claimed.map(({ subtask_id, lease_token, attempt }) => ({ subtask_id, lease_token, attempt }));
      const send = senderOf(url, credential);
      return { leases, beat: () => send('POST', `/api/v1/workers/${worker.worker_id}/heartbeat`, { leases }) };
    }),
  );
};

/** Repeats a request with pauses of `ms` until the returned function is called, which returns the outcomes. */
const every = (ms: number, ask: () => Promise<Outcome>) => {
  const outcomes: Outcome[] = [];
  const over = new AbortController();
  const loop = (async () => {
    while (!over.signal.aborted) {
      outcomes.push(await ask());
      await pause(ms);
    }
  })();
  return async () => {
    over.abort();
    await loop;
    return outcomes;
  };
};

const percentile = (values: readonly number[], of: number) => values.toSorted((a, b) => a - b)[Math.ceil(of * values.length) - 1] ?? 0;
const times = (outcomes: readonly Outcome[]) => {
  const ms = outcomes.map((it) => it.ms);
  return `p50 ${Math.round(percentile(ms, 0.5))} ms, p99 ${Math.round(percentile(ms, 0.99))} ms`;
};

describe('more submits than the platform can process', () => {
  it('are rejected at once and do not affect workers: heartbeats succeed and no lease is lost', async () => {
    const system = await startSystem({ LEASE_MS: `${LEASE_MS}`, BUSY_HEARTBEAT_MS: `${BEAT_MS}`, OUTAGE_MS: '60000' });
    const workers = await holdLeases(system);
    expect(workers.flatMap(({ leases }) => leases)).toHaveLength(WORKERS * SLOTS);
    const send = senderOf(system.url, system.adminKey);
    const submit = () => send('POST', '/api/v1/tasks', { goal: 'x', subtasks: [{ key: 'a', goal: 'x', tool: 'exec' }] });
    const beats = workers.map(({ beat }) => every(BEAT_MS, beat));
    const health = every(200, () => send('GET', '/api/v1/health'));

    const began = performance.now();
    const closed = await Promise.all(Array.from({ length: CALLERS }, () => every(0, submit)).map((end) => pause(PEAK_MS).then(end)));
    const peak = closed.flat().filter((it) => it.status === 201).length / ((performance.now() - began) / 1_000);
    const asked: Promise<Outcome>[] = [];
    const start = performance.now();
    for (let now = start; now - start < OVERLOAD_MS; now = performance.now()) {
      while (asked.length < (peak * TIMES * (now - start)) / 1_000) asked.push(submit());
      await pause(5);
    }
    const outcomes = await Promise.all(asked);
    const seconds = (performance.now() - start) / 1_000;

    const accepted = outcomes.filter((it) => it.status === 201);
    const shed = outcomes.filter((it) => it.status === 503);
    const beaten = (await Promise.all(beats.map((end) => end()))).flat();
    const healthy = await health();
    const goodput = accepted.length / seconds;
    console.info(
      `peak ${Math.round(peak)}/s, asked ${Math.round(asked.length / seconds)}/s, goodput ${Math.round(goodput)}/s (${times(accepted)})`,
    );
    console.info(`shed ${shed.length} (${times(shed)}); ${beaten.length} heartbeats (${times(beaten)}); health (${times(healthy)})`);
    expect(accepted.length + shed.length).toBe(outcomes.length);
    expect(shed.length).toBeGreaterThan(0);
    expect(new Set(shed.map((it) => it.retryAfter))).toEqual(new Set(['1']));
    expect(
      percentile(
        shed.map((it) => it.ms),
        0.5,
      ),
    ).toBeLessThan(
      percentile(
        accepted.map((it) => it.ms),
        0.5,
      ),
    );
    expect(goodput).toBeGreaterThanOrEqual(0.8 * peak);
    const answered = beaten.filter((it) => it.status === 200 && it.ms < PATIENCE_MS);
    expect(answered.length / beaten.length).toBeGreaterThanOrEqual(0.999);
    expect(healthy.every((it) => it.status === 200)).toBe(true);
    const states = [...beaten, ...(await Promise.all(workers.map(({ beat }) => beat())))].flatMap(
      ({ body }) => (body as { leases?: { state: string }[] } | null)?.leases?.map(({ state }) => state) ?? [],
    );
    expect(new Set(states)).toEqual(new Set(['renewed']));
  }, 120_000);
});
