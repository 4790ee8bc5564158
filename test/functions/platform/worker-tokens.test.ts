import { randomUUID } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createWorkerTokens, deriveKey } from '../../../functions/platform/worker-tokens.ts';

const SECRET = 'a secret for tests that is long enough';
const DAY = 24 * 3_600_000;
const worker = { worker_id: randomUUID(), organization_id: randomUUID() };

const at = (ms: number) => {
  vi.useFakeTimers({ toFake: ['Date'], now: ms });
  onTestFinished(() => void vi.useRealTimers());
};

type Given = {
  alg?: string;
  typ?: string;
  issuer?: string;
  audience?: string;
  subject?: string | null;
  organization?: unknown;
  life?: string;
  key?: Uint8Array;
};

/** A valid credential, except for the given fields. */
const forge = ({ alg = 'HS256', typ = 'worker+jwt', issuer = 'multi-agent-on-the-web', audience = 'worker-api', ...given }: Given) => {
  const {
    subject = worker.worker_id,
    organization = worker.organization_id,
    life = '90d',
    key = deriveKey(SECRET, 'worker-credentials'),
  } = given;
  const token = new SignJWT(organization === undefined ? {} : { organization_id: organization })
    .setProtectedHeader({ alg, typ })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(life);
  return (subject === null ? token : token.setSubject(subject)).sign(key);
};

describe("a worker's credential", () => {
  it('names the worker and its organization to a holder of the secret', async () => {
    const token = await createWorkerTokens(SECRET).sign(worker);

    expect(await createWorkerTokens(SECRET).verify(token)).toEqual({ ...worker, nears_end: false });
    expect(await createWorkerTokens(SECRET).verify(await forge({}))).toEqual({ ...worker, nears_end: false });
  });

  it('nears its end in its last 30 days, and is valid for 90', async () => {
    const tokens = createWorkerTokens(SECRET);
    const start = Date.parse('2026-01-01T00:00:00Z');
    at(start);
    const token = await tokens.sign(worker);

    const seen: unknown[] = [];
    for (const days of [0, 59, 61, 89.9, 90.1]) {
      vi.setSystemTime(start + days * DAY);
      seen.push((await tokens.verify(token))?.nears_end ?? null);
    }

    expect(seen).toEqual([false, false, true, true, null]);
  });

  it.each<[string, Given]>([
    ['of another secret', { key: deriveKey(`${SECRET}!`, 'worker-credentials') }],
    ['under a key for another purpose', { key: deriveKey(SECRET, 'vault') }],
    ['with another algorithm', { alg: 'HS512', key: new Uint8Array(64) }],
    ['of another type', { typ: 'JWT' }],
    ['of another issuer', { issuer: 'someone' }],
    ['for another audience', { audience: 'person-api' }],
    ['that has ended', { life: '-1s' }],
    ['without a worker', { subject: null }],
  ])('%s is refused', async (_, given) => {
    expect(await createWorkerTokens(SECRET).verify(await forge(given))).toBeNull();
  });

  it('without an organization is refused', async () => {
    const key = deriveKey(SECRET, 'worker-credentials');
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256', typ: 'worker+jwt' })
      .setIssuer('multi-agent-on-the-web')
      .setAudience('worker-api')
      .setSubject(worker.worker_id)
      .setExpirationTime('90d')
      .sign(key);

    expect(await createWorkerTokens(SECRET).verify(token)).toBeNull();
  });

  it('without a signature, changed or no credential at all is refused', async () => {
    const tokens = createWorkerTokens(SECRET);
    const token = await tokens.sign(worker);
    const [header, , signature] = token.split('.');
    const body = Buffer.from(JSON.stringify({ sub: randomUUID() })).toString('base64url');

    for (const given of [new UnsecuredJWT({}).encode(), `${header}.${body}.${signature}`, token.slice(0, -2), '', 'x', 'a.b.c'])
      expect(await tokens.verify(given)).toBeNull();
  });
});

/** How often signatures are checked, with the clocks stopped. */
const countChecks = () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  const checks = vi.spyOn(crypto.subtle, 'verify');
  onTestFinished(() => {
    checks.mockRestore();
    vi.useRealTimers();
  });
  return { made: () => checks.mock.calls.length, pass: (ms: number) => void vi.advanceTimersByTime(ms) };
};

describe('a verified credential', () => {
  it('is cached for 60 s, however often it is used', async () => {
    const { made, pass } = countChecks();
    const tokens = createWorkerTokens(SECRET);
    const token = await tokens.sign(worker);

    for (const ms of [0, 30_000, 29_999]) {
      pass(ms);
      expect(await tokens.verify(token)).toEqual({ ...worker, nears_end: false });
    }
    expect(made()).toBe(1);
    pass(1);
    await tokens.verify(token);

    expect(made()).toBe(2);
  });

  it('is refused once it has expired, cached or not', async () => {
    const { made, pass } = countChecks();
    const tokens = createWorkerTokens(SECRET);
    const token = await forge({ life: '10s' });
    expect(await tokens.verify(token)).toMatchObject(worker);

    pass(9_000);
    expect(await tokens.verify(token)).toMatchObject(worker);
    pass(1_000);

    expect(await tokens.verify(token)).toBeNull();
    expect(made()).toBe(1);
  });

  it('is cached by the monotonic clock: setting the wall clock back does not extend it', async () => {
    const { made, pass } = countChecks();
    const tokens = createWorkerTokens(SECRET);
    const token = await tokens.sign(worker);
    await tokens.verify(token);

    pass(60_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    await tokens.verify(token);

    expect(made()).toBe(2);
  });

  it('covers only itself: another one is verified, and a refused one is verified each time', async () => {
    const { made } = countChecks();
    const tokens = createWorkerTokens(SECRET);
    const other = { ...worker, worker_id: randomUUID() };
    const forged = await forge({ key: deriveKey('another secret', 'worker-credentials') });
    await tokens.verify(await tokens.sign(worker));

    expect(await tokens.verify(await tokens.sign(other))).toEqual({ ...other, nears_end: false });
    for (const _ of [1, 2]) expect(await tokens.verify(forged)).toBeNull();

    expect(made()).toBe(4);
  });
});
