import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createRedis, hint } from '../../../functions/platform/redis.ts';
import { openRedis } from '../../../local/redis.ts';
import { createMemoryRedis } from '../../../local/redis/memory.ts';
import { freePort } from '../../support/processes.ts';
import { PATIENCE_MS } from '../../support/redis-kind.ts';
import { PROGRAM, startRealRedis, throwawayFolder } from '../support/redis.ts';
import { startUpstash } from '../../../local/redis/upstash.ts';

const PATH = process.env.PATH ?? '';
const NOWHERE = '/nonexistent';

const open = async (env: Record<string, string>) => {
  const said: string[] = [];
  const { folder, remove } = throwawayFolder();
  onTestFinished(remove);
  const opened = await openRedis({ env, folder, patienceMs: PATIENCE_MS, say: (line) => void said.push(line) });
  onTestFinished(() => opened.close());
  const works = (await hint(createRedis(opened.at, { timeoutMs: PATIENCE_MS }).set('a', 'x'), 'does not answer')) === 'OK';
  return { kind: opened.kind, said: said.join('\n'), works };
};

/** A folder with a redis-server that is this script. */
const withProgram = (script: string): string => {
  const { folder, remove } = throwawayFolder();
  onTestFinished(remove);
  writeFileSync(join(folder, 'redis-server'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
};

describe('the Redis of a standalone installation', () => {
  it('is the Upstash that the environment names, before any other', async () => {
    const { url, token, close } = await startUpstash(createMemoryRedis());
    onTestFinished(close);

    expect(
      await open({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, REDIS_URL: 'redis://127.0.0.1:1', PATH }),
    ).toMatchObject({
      kind: 'upstash',
      said: `using the Redis at ${new URL(url).host} (UPSTASH_REDIS_REST_URL)`,
      works: true,
    });
  });

  it.skipIf(PROGRAM === null)('is the one at REDIS_URL, and its password is not told', async () => {
    const server = await startRealRedis();
    onTestFinished(() => server.close());

    const { kind, said, works } = await open({ REDIS_URL: server.url, PATH });

    expect({ kind, works }).toEqual({ kind: 'url', works: true });
    expect(said).toBe(`using the Redis at ${new URL(server.url).host} (REDIS_URL)`);
  });

  it('is the one at REDIS_URL though it does not answer now', async () => {
    const { kind, said, works } = await open({ REDIS_URL: `redis://127.0.0.1:${await freePort()}`, PATH });

    expect({ kind, works }).toEqual({ kind: 'url', works: false });
    expect(said).toMatch(/^using the Redis at 127\.0\.0\.1:\d+ \(REDIS_URL\), which does not answer now: connect ECONNREFUSED/);
  });

  it('is not one that is too old', async () => {
    const info = 'redis_version:5.0.7\r\n';
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.write(`$${info.length}\r\n${info}\r\n`));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());

    const { port } = server.address() as AddressInfo;
    await expect(open({ REDIS_URL: `redis://127.0.0.1:${port}` })).rejects.toThrow(
      "The Redis at REDIS_URL can't be used: it is Redis 5.0.7; it must be 6.2 or newer",
    );
  });

  it.skipIf(PROGRAM === null)('is a server on the PATH', async () => {
    const { kind, said, works } = await open({ PATH });

    expect({ kind, works }).toEqual({ kind: 'server', works: true });
    expect(said).toMatch(/^started \/.*-server \d+\.\d+\.\d+$/);
  });

  it('is memory where there is none', async () => {
    expect(await open({ PATH: NOWHERE })).toEqual({
      kind: 'memory',
      said: 'using a Redis in memory: there is no REDIS_URL, and no redis-server or valkey-server on the PATH',
      works: true,
    });
  });

  it('is memory where the server does not start, and the reason is told', async () => {
    const { kind, said, works } = await open({ PATH: withProgram('echo "cannot run here" >&2; exit 3') });

    expect({ kind, works }).toEqual({ kind: 'memory', works: true });
    expect(said).toMatch(/^Redis does not start; its log .* ends with:\ncannot run here\nusing a Redis in memory$/);
  });

  it.each([
    [{ UPSTASH_REDIS_REST_URL: 'https://x.upstash.io' }, 'belong together: set both, or neither'],
    [{ UPSTASH_REDIS_REST_URL: 'x.upstash.io', UPSTASH_REDIS_REST_TOKEN: 'x' }, 'must be an address such as https://name.upstash.io'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL must be a URL such as redis://user:password@host:6379'],
  ])('refuses a wrong environment and says what would be right: %o', async (env, message) => {
    await expect(open(env)).rejects.toThrow(message);
  });
});
