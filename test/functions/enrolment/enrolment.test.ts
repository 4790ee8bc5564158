import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Backend, backendForTest } from '../../support/backend.ts';
import { enrol } from '../../support/worker.ts';

const DAY_MS = 24 * 3_600_000;

const tokenForTest = async (tools = ['exec', 'scripted']) => {
  const backend = await backendForTest();
  const { enrolment_token } = await backend.admin.ok.createEnrolmentToken({ body: { tools } });
  return { backend, token: enrolment_token };
};

const register = (backend: Backend, token: string, more: { tools?: string[]; registration_id?: string } = {}) =>
  backend.as(token).registerWorker({ body: { name: 'w', machine_name: 'm', tools: ['exec'], ...more } });

const workersOf = async (backend: Backend) => (await backend.admin.ok.listWorkers()).items.map((it) => it.tools);

describe('an enrolment token', () => {
  it('allows its tools and no others; a worker that is refused for other tools may try again', async () => {
    const { backend, token } = await tokenForTest(['exec']);

    const refused = await register(backend, token, { tools: ['exec', 'scripted'] });
    const taken = await register(backend, token, { tools: ['exec'] });

    const { status, code, errors } = refused.body as unknown as { status: number; code: string; errors: { path: string }[] };
    expect([status, code, errors[0]?.path]).toEqual([422, 'enrolment_mismatch', 'body.tools']);
    expect(taken.status).toBe(201);
    expect(await workersOf(backend)).toEqual([['exec']]);
  });

  it('enrols no worker after it expires, but repeats the answer to an earlier registration', async () => {
    const { backend, token } = await tokenForTest();
    const late = (await backend.admin.ok.createEnrolmentToken({ body: { tools: ['exec'] } })).enrolment_token;
    const registration = { registration_id: crypto.randomUUID() };
    await register(backend, token, registration);
    await backend.ctx.sql`update enrolment_tokens set expires_at = clock_timestamp() - interval '1 second'`;

    expect(await register(backend, late)).toMatchObject({ status: 401, body: { code: 'enrolment_refused' } });
    expect((await register(backend, token, registration)).status).toBe(201);
    expect(await workersOf(backend)).toHaveLength(1);
  });

  it('enrols one worker, also when several register at once', async () => {
    const { backend, token } = await tokenForTest();

    const replies = await Promise.all(Array.from({ length: 4 }, () => register(backend, token)));

    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 401, 401, 401]);
    expect(await workersOf(backend)).toHaveLength(1);
  });

  it('answers a repeated registration with the same worker, and refuses a different one', async () => {
    const { backend, token } = await tokenForTest();
    const [mine, other] = [crypto.randomUUID(), crypto.randomUUID()];

    const [first, again] = [
      await register(backend, token, { registration_id: mine }),
      await register(backend, token, { registration_id: mine }),
    ];
    const stranger = await register(backend, token, { registration_id: other });

    expect(again.body.worker.worker_id).toBe(first.body.worker.worker_id);
    expect(stranger).toMatchObject({ status: 401, body: { code: 'enrolment_refused' } });
    const params = { worker_id: again.body.worker.worker_id };
    expect((await backend.as(again.body.credential).heartbeat({ params, body: { leases: [] } })).status).toBe(200);
    expect(await workersOf(backend)).toHaveLength(1);
  });
});

describe("a worker's credential", () => {
  it('is renewed by a heartbeat in its last 30 days, and not before', async () => {
    const backend = await backendForTest();
    const { worker_id, heartbeat } = await enrol(backend);
    const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 61 * DAY_MS });
    const old = await backend.ctx.tokens.sign({ worker_id, organization_id });
    vi.useRealTimers();

    const beat = (credential: string) => backend.as(credential).ok.heartbeat({ params: { worker_id }, body: { leases: [] } });
    const { credential } = await beat(old);

    expect((await heartbeat()).body.credential).toBeNull();
    expect(credential).toMatch(/^ey/);
    expect((await beat(credential ?? '')).credential).toBeNull();
  });
});

describe('a worker that was removed', () => {
  it('is not listed, not found, removed only once, and not restored by a repeated registration', async () => {
    const { backend, token } = await tokenForTest();
    const registration = { registration_id: crypto.randomUUID() };
    const { worker_id } = (await register(backend, token, registration)).body.worker;
    const params = { worker_id };

    await backend.admin.ok.deleteWorker({ params });

    expect(await workersOf(backend)).toEqual([]);
    for (const reply of [await backend.admin.getWorker({ params }), await backend.admin.deleteWorker({ params })])
      expect(reply).toMatchObject({ status: 404, body: { code: 'worker_not_found' } });
    expect((await register(backend, token, registration)).status).toBe(401);
  });
});
