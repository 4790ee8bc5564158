import { describe, expect, it } from 'vitest';
import { backendForTest } from '../support/backend.ts';

describe('an API key', () => {
  it('identifies its own caller among many concurrent requests; revoked and unknown keys are refused', async () => {
    const backend = await backendForTest();
    const keys = await Promise.all(
      Array.from({ length: 12 }, () => backend.admin.ok.createApiKey({ body: { name: 'k', scopes: ['tasks:read'] } })),
    );
    const revoked = keys.filter((_, at) => at % 3 === 0);
    for (const { api_key_id } of revoked) await backend.admin.ok.revokeApiKey({ params: { api_key_id } });
    const tokens = [...keys.map((key) => key.api_key), 'mak_unknown', ...keys.map((key) => key.api_key)];

    const before = backend.ctx.sql.counted();
    const found = await Promise.all(tokens.map((token) => backend.as(token).listTasks({})));
    const statements = backend.ctx.sql.counted() - before;

    const isGood = (token: string) => keys.some((key) => key.api_key === token) && !revoked.some((key) => key.api_key === token);
    expect(found.map(({ status }) => status)).toEqual(tokens.map((token) => (isGood(token) ? 200 : 401)));
    const lists = tokens.filter(isGood).length;
    expect(statements - lists).toBeLessThan(tokens.length / 2);
  });

  it('is refused as soon as its revocation has returned, however many requests are in progress', async () => {
    const backend = await backendForTest();
    const { api_key, api_key_id } = await backend.admin.ok.createApiKey({ body: { name: 'k', scopes: ['tasks:read'] } });
    const ask = () => backend.as(api_key).listTasks({});
    const early = Array.from({ length: 20 }, ask);
    await backend.admin.ok.revokeApiKey({ params: { api_key_id } });

    const late = await Promise.all(Array.from({ length: 20 }, ask));

    expect(late.map(({ status }) => status)).toEqual(late.map(() => 401));
    await Promise.all(early);
  });
});
