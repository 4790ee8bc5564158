import { describe, expect, it } from 'vitest';
import { createStore } from '../../../local/redis/memory/store.ts';

const setUp = () => {
  let now = 0;
  return {
    store: createStore(() => now),
    pass: (ms: number) => {
      now += ms;
    },
  };
};

describe('the store of a Redis in memory', () => {
  it('expires a key at its time, not before', () => {
    const { store, pass } = setUp();
    store.put('a', 'string', 'x', 1_000);

    pass(999);
    expect(store.read('a', 'string')).toBe('x');
    pass(1);
    expect(store.read('a', 'string')).toBeUndefined();
  });

  it('deletes expired keys that nobody reads, so that its size is bounded by the live keys', () => {
    const { store, pass } = setUp();
    store.put('stays', 'string', 'x', null);
    let most = 0;

    for (let at = 0; at < 10_000; at++) {
      store.put(`ten rounds:${at}`, 'string', 'x', store.now() + 10);
      store.sweep();
      pass(1);
      most = Math.max(most, store.size());
    }

    expect(most).toBeLessThan(50);
    expect(store.read('stays', 'string')).toBe('x');
  });

  it('gives a key that is set again a new TTL and a new type', () => {
    const { store, pass } = setUp();
    store.put('a', 'string', 'x', 1_000);
    pass(1_000);

    store.edit(
      'a',
      'set',
      () => new Set(),
      (set) => set.add('x'),
    );

    expect(store.kind('a')).toBe('set');
    expect(store.expiresAt('a')).toBeNull();
  });
});
