import { describe, expect, it } from 'vitest';
import { createRedis } from '../../functions/platform/redis.ts';
import { createMemoryRedis } from '../../local/redis/memory.ts';
import { seededRandom } from '../support/random.ts';
import { createDoubler } from './support/doubled.ts';
import { startEngine } from './support/engine.ts';
import { createKiller } from './support/killer.ts';

const memory = () => createRedis({ requester: createMemoryRedis() });

describe('with many subtasks unfinished, the queues', () => {
  it('may refuse all messages for a while and then lose all that they held', async () => {
    const engine = await startEngine({ redis: memory() });
    await engine.workTo(10);

    await engine.broker.stop();
    await engine.workTo(60);
    await engine.broker.start();
    await engine.poison();
    await engine.expectQueuesRebuilt();

    await engine.expectSoundEnd();
  });

  it('may deliver each message twice, late and in any order', async () => {
    const { send, release, releaseAll } = createDoubler(seededRandom());
    const engine = await startEngine({ redis: memory(), send });
    await engine.poison();

    await engine.workTo(60, release);
    await releaseAll();
    await engine.expectQueuesRebuilt();

    await engine.expectSoundEnd(releaseAll);
  });

  it('may lose any sender and any handler at any point between commit and acknowledgement', async () => {
    const { send, handle, deaths } = createKiller(seededRandom());
    const engine = await startEngine({ redis: memory(), send, handle, isServerless: true });
    await engine.poison();

    await engine.workTo(60);
    await engine.expectQueuesRebuilt();

    await engine.expectSoundEnd();
    expect(Math.min(...Object.values(deaths))).toBeGreaterThan(0);
  });
});
