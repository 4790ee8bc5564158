import { describe, expect, it, onTestFinished } from 'vitest';
import { countRoundTrips, countWal } from '../../bench/counts.ts';
import { parseEnv } from '../../schema/env.ts';
import { createDatabase } from '../support/backend.ts';

const freshEnv = async () => {
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  return parseEnv({ DATABASE_URL: url, SECRET_KEY: 'a secret for tests that is long enough' });
};

describe('a hot transition', () => {
  it('costs one round trip to the database, be it of one subtask or of ten', async () => {
    expect(await countRoundTrips(await freshEnv())).toEqual({
      claim: 1,
      'claim and start ten': 1,
      start: 1,
      heartbeat: 1,
      complete: 1,
      'complete ten': 1,
      'complete and claim the next': 1,
    });
  });
});

describe('a subtask', () => {
  it('writes at most 6 kB of WAL in its whole life, with attempts, events and edges', async () => {
    const bytes = await countWal(await freshEnv());

    if (bytes === null) return; // counts of one connection came with PostgreSQL 18
    expect(bytes).toBeGreaterThan(500);
    expect(bytes).toBeLessThanOrEqual(6_000);
  });
});
