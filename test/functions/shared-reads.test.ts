import { describe, expect, it } from 'vitest';
import { createSharedReads } from '../../functions/domain/shared-reads.ts';
import type { Sql } from '../../functions/domain/ports/sql.ts';

/** Reads that end when the test releases them; each returns its own name. */
const readsOf = () => {
  const begun: { key: string; sql: Sql; answer(): void; fail(): void }[] = [];
  let opened = 0;
  const share = createSharedReads(() => ({ request_id: `read ${++opened}` }) as unknown as Sql);
  const ask = (key: string) =>
    share([key], (sql) => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const name = `${key} ${begun.length + 1}`;
      begun.push({ key, sql, answer: () => resolve(name), fail: () => reject(new Error(`${name} failed`)) });
      return promise;
    });
  return { ask, begun };
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('reads that several callers request at the same time', () => {
  it('start at once when nobody reads the same', () => {
    const { ask, begun } = readsOf();

    void ask('a');
    void ask('b');

    expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('are shared by callers that asked before the read started, and by nobody else', async () => {
    const { ask, begun } = readsOf();

    const first = ask('a');
    const together = [ask('a'), ask('a')];
    begun[0]?.answer();
    expect(await first).toBe('a 1');
    await turn();
    const after = [ask('a'), ask('a')];
    begun[1]?.answer();
    expect(await Promise.all(together)).toEqual(['a 2', 'a 2']);
    await turn();
    begun[2]?.answer();

    expect(await Promise.all(after)).toEqual(['a 3', 'a 3']);
    expect(begun).toHaveLength(3);
  });

  it('that fail do so for all callers that share them, and the next read starts again with its own handle', async () => {
    const { ask, begun } = readsOf();

    const first = ask('a');
    const second = ask('a');
    begun[0]?.fail();
    await expect(first).rejects.toThrow('a 1 failed');
    await turn();
    begun[1]?.answer();
    expect(await second).toBe('a 2');
    const third = ask('a');
    begun[2]?.answer();

    expect(await third).toBe('a 3');
    expect(new Set(begun.map(({ sql }) => sql.request_id)).size).toBe(3);
  });
});
