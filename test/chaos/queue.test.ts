import { describe, expect, it } from 'vitest';
import { createRedis } from '../../functions/platform/redis.ts';
import { createMemoryRedis } from '../../local/redis/memory.ts';
import { seededRandom } from '../support/random.ts';
import { createDoubler } from './support/doubled.ts';
import { startEngine } from './support/engine.ts';
import { createKiller } from './support/killer.ts';

const memory = () => createRedis({ requester: createMemoryRedis() });

describe('with many subtasks unfinished, the queues', () => {
  it('that refuse everything for a while, and then have lost all that was in them, are made up for', async () => {
    const engine = await startEngine({ redis: memory() });
    await engine.workTo(10);

    await engine.broker.stop();
    await engine.workTo(60);
    await engine.broker.begin();
    await engine.poison();
    await engine.expectQueuesMended();

    await engine.expectSoundEnd();
  });

  it('may deliver each message twice, late and in any order', async () => {
    const { send, release, releaseAll } = createDoubler(seededRandom());
    const engine = await startEngine({ redis: memory(), send });
    await engine.poison();

    await engine.workTo(60, release);
    await releaseAll();
    await engine.expectQueuesMended();

    await engine.expectSoundEnd(releaseAll);
  });

  it('may lose everybody who sends and handles, at any point between commit and receipt', async () => {
    const { send, handle, deaths } = createKiller(seededRandom());
    const engine = await startEngine({ redis: memory(), send, handle, isServerless: true });
    await engine.poison();

    await engine.workTo(60);
    await engine.expectQueuesMended();

    await engine.expectSoundEnd();
    expect(Math.min(...Object.values(deaths))).toBeGreaterThan(0);
  });
});
