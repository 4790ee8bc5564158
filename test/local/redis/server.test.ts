import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startRedisServer } from '../../../local/redis/server.ts';
import { connectRedis } from '../../../local/redis/tcp.ts';
import { until } from '../../support/processes.ts';
import { PATIENCE_MS } from '../../support/redis-kind.ts';
import { PROGRAM, startRealRedis, throwawayFolder } from '../support/redis.ts';

const listens = async (url: string): Promise<boolean> => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const [event] = await Promise.race([once(socket, 'connect').then(() => ['connect']), once(socket, 'close').then(() => ['close'])]).catch(
    () => ['error'],
  );
  socket.destroy();
  return event === 'connect';
};

describe.skipIf(PROGRAM === null)('the Redis server of a standalone installation', () => {
  it('answers on loopback to its password alone, which others on the machine cannot read', async () => {
    const server = await startRealRedis();
    onTestFinished(() => server.close());
    const stranger = await connectRedis(server.url.replace(/:\/\/.*@/, '://'), { patienceMs: PATIENCE_MS });
    onTestFinished(() => stranger.close());

    expect(await server.requester.request({ body: ['ping'] })).toEqual({ result: 'PONG' });
    expect(await stranger.request({ body: ['ping'] }).catch((error: Error) => ({ error: error.message }))).toEqual({
      error: 'NOAUTH Authentication required.',
    });
  });

  it('keeps its password in a file of its own', async () => {
    const { folder, remove } = throwawayFolder();
    const server = await startRedisServer({ program: PROGRAM ?? '', folder });
    onTestFinished(async () => {
      await server.close();
      await remove();
    });

    const path = join(folder, 'redis', 'redis.conf');
    expect(readFileSync(path, 'utf8')).toContain(`requirepass ${new URL(server.url).password}`);
    expect(statSync(path).mode & 0o077).toBe(0);
  });

  it('ends when it is closed', async () => {
    const server = await startRealRedis();
    expect(await listens(server.url)).toBe(true);

    await server.close();

    expect(await listens(server.url)).toBe(false);
  });

  it('ends when the process that started it is killed', async () => {
    const { folder, remove } = throwawayFolder();
    onTestFinished(remove);
    const script = `
      import { startRedisServer } from ${JSON.stringify(join(import.meta.dirname, '../../../local/redis/server.ts'))};
      const server = await startRedisServer({ program: ${JSON.stringify(PROGRAM)}, folder: ${JSON.stringify(folder)} });
      process.stdout.write(server.url);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [url] = (await once(parent.stdout, 'data')) as [Buffer];
    expect(await listens(url.toString())).toBe(true);

    parent.kill('SIGKILL');

    await until('the server to be gone', async () => !(await listens(url.toString())));
  });

  it('says why when it does not start', async () => {
    const { folder, remove } = throwawayFolder();
    onTestFinished(remove);
    const program = join(folder, 'redis-server');
    writeFileSync(program, '#!/bin/sh\necho "cannot run here" >&2\nexit 3\n', { mode: 0o755 });

    await expect(startRedisServer({ program, folder })).rejects.toThrow(/^Redis does not start; its log .* ends with:\ncannot run here$/);
  });
});
