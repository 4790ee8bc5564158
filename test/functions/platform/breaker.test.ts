import { describe, expect, it } from 'vitest';
import { createBreaker } from '../../../functions/platform/breaker.ts';

const setUp = () => {
  let now = 0;
  const changes: (string | null)[] = [];
  const breaker = createBreaker({
    failures: 3,
    restMs: 1_000,
    now: () => now,
    onChange: (failure) => void changes.push(failure?.message ?? null),
  });
  const ask = async (work: () => Promise<string>) => (await breaker.run(work)?.catch((error: Error) => error.message)) ?? 'not asked';
  return {
    breaker,
    changes,
    ask,
    fail: () => ask(() => Promise.reject(new Error('down'))),
    succeed: () => ask(() => Promise.resolve('up')),
    pass: (ms: number) => {
      now += ms;
    },
  };
};

const open = async () => {
  const it = setUp();
  for (let at = 0; at < 3; at++) await it.fail();
  return it;
};

describe('the breaker', () => {
  it('opens after a number of failures in a row, and reports it once', async () => {
    const { breaker, fail, succeed, changes } = setUp();
    await fail();
    await fail();
    await succeed();
    await fail();
    await fail();
    expect(breaker.state()).toBe('closed');

    await fail();

    expect(breaker.state()).toBe('open');
    expect(breaker.failure()?.message).toBe('down');
    expect(changes).toEqual(['down']);
  });

  it('blocks every call while it is open, and lets one call through after its rest', async () => {
    const { succeed, pass, breaker, changes } = await open();

    expect(await succeed()).toBe('not asked');
    pass(999);
    expect(await succeed()).toBe('not asked');
    pass(1);
    expect(await succeed()).toBe('up');

    expect(breaker.state()).toBe('closed');
    expect(breaker.failure()).toBeNull();
    expect(changes).toEqual(['down', null]);
  });

  it('stays open when the probe fails, and reports nothing new', async () => {
    const { fail, succeed, pass, breaker, changes } = await open();
    pass(1_000);
    expect(await fail()).toBe('down');

    expect(await succeed()).toBe('not asked');
    expect(breaker.state()).toBe('open');
    expect(changes).toEqual(['down']);
    pass(1_000);
    expect(await succeed()).toBe('up');
  });

  it('lets no second call through during the probe', async () => {
    const { ask, succeed, pass, breaker } = await open();
    pass(1_000);
    const probe = Promise.withResolvers<string>();
    const asked = ask(() => probe.promise);

    expect(breaker.state()).toBe('half_open');
    expect(await succeed()).toBe('not asked');
    probe.resolve('up');

    expect(await asked).toBe('up');
    expect(await succeed()).toBe('up');
  });

  it('is not kept open by late failures of calls that began before it opened', async () => {
    const { ask, fail, succeed, pass } = setUp();
    const early = Promise.withResolvers<string>();
    const asked = ask(() => early.promise);
    for (let at = 0; at < 3; at++) await fail();
    pass(900);
    early.reject(new Error('late'));
    await asked;
    pass(100);

    expect(await succeed()).toBe('up');
  });
});
