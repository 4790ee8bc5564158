import { describe, it, onTestFinished } from 'vitest';
import { createRedis } from '../../functions/platform/redis.ts';
import { createMemoryRedis } from '../../local/redis/memory.ts';
import { connectRedis } from '../../local/redis/tcp.ts';
import { breakableRedis } from '../functions/live/support/live.ts';
import { PROGRAM, startRealRedis } from '../local/support/redis.ts';
import { until } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';
import { startTcpProxy } from '../../bench/support/tcp-proxy.ts';
import { startEngine } from './support/engine.ts';

const real = it.skipIf(PROGRAM === null);

const startReal = async () => {
  const server = await startRealRedis(1_000);
  onTestFinished(() => server.close());
  return server;
};

describe('with many subtasks unfinished, Redis', () => {
  const kinds = [
    ['in memory', true, async () => createMemoryRedis()],
    ['a real server', PROGRAM !== null, async () => (await startReal()).requester],
  ] as const;
  for (const [name, isInstalled, open] of kinds)
    it.skipIf(!isInstalled)(`may be flushed at any moment (${name})`, async () => {
      const redis = createRedis({ requester: await open() });
      const engine = await startEngine({ redis });
      const random = seededRandom();
      await engine.poison();

      await engine.workTo(60, () => random() < 0.2 && redis.flushall());
      await redis.flushall();
      await engine.expectQueuesRebuilt();

      await engine.expectSoundEnd(() => random() < 0.2 && redis.flushall());
    });

  it('may be unavailable for long, and is rebuilt when it is back', async () => {
    const { redis, setUnavailable } = breakableRedis();
    const engine = await startEngine({ redis });
    await engine.poison();
    await engine.workTo(10);

    setUnavailable(true);
    await engine.workTo(60);
    setUnavailable(false);
    await engine.expectQueuesRebuilt();

    await engine.expectSoundEnd();
  });

  real('may be killed repeatedly, and only its own contents are lost', async () => {
    const server = await startReal();
    const engine = await startEngine({ redis: createRedis({ requester: server.requester }, { restMs: 200 }) });
    await engine.poison();

    for (const count of [10, 25, 40]) {
      await engine.workTo(count);
      const pid = server.pid();
      process.kill(pid, 'SIGKILL');
      await engine.workTo(count + 10);
      await until('another Redis', () => server.pid() !== pid);
    }
    await engine.expectQueuesRebuilt();

    await engine.expectSoundEnd();
  });

  real('delays nobody for long when it hangs', async () => {
    const server = await startReal();
    const engine = await startEngine({ redis: createRedis({ requester: server.requester }) });
    await engine.poison();
    await engine.workTo(10);

    process.kill(server.pid(), 'SIGSTOP');
    await engine.workTo(60);
    await until('the breaker to open', async () => {
      await engine.redis.ping().catch(() => null);
      return engine.redis.health().state !== 'closed';
    });
    process.kill(server.pid(), 'SIGCONT');
    await engine.expectQueuesRebuilt();

    await engine.expectSoundEnd();
  });

  real('may lose replies: requests are repeated, or their outcome is treated as unknown', async () => {
    const server = await startReal();
    const { port, password } = new URL(server.url);
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(port) });
    const requester = await connectRedis(`redis://:${password}@127.0.0.1:${proxy.port}`);
    onTestFinished(async () => {
      await requester.close();
      await proxy.close();
    });
    const engine = await startEngine({ redis: createRedis({ requester }, { restMs: 200 }) });
    const random = seededRandom();
    /** With two, the reply to the repeated request is lost as well. */
    const lose = () => random() < 0.3 && proxy.loseAnswers(random() < 0.5 ? 1 : 2);
    await engine.poison();

    await engine.workTo(60, lose);
    await until('more than ten replies to be lost', () => [lose(), proxy.counted().lost > 10].at(-1));
    proxy.loseAnswers(0);
    await engine.expectQueuesRebuilt();

    await engine.expectSoundEnd(lose);
  });
});
