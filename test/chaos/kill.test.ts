import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { attemptsAt, expectSound, expectTakenOver, type Held, startLoaded } from './support/load.ts';

/** How often a worker has said that it gave up what it held: its heartbeat, its log or its result was refused. */
const refusals = ({ worker, subtask_id }: Held) =>
  worker
    .output()
    .split('\n')
    .filter((line) => line.includes('subtask.dropped') && line.includes(subtask_id)).length;

describe('with many subtasks under way', () => {
  it('workers that are killed at work cost nothing but time', async () => {
    const { system, ids, held, letGo } = await startLoaded();

    await Promise.all(held.map(({ worker }) => worker.kill('SIGKILL')));
    await letGo();

    await expectSound(system, ids);
    for (const it of held) await expectTakenOver(system, it);
  });

  it('a server that is killed goes on where it was', async () => {
    const { system, ids, letGo } = await startLoaded();

    await system.server().kill('SIGKILL');
    await letGo();
    await system.restartServer();

    await expectSound(system, ids);
  });

  it('a Postgres that is killed is started again and has lost nothing', async () => {
    const { system, ids, letGo } = await startLoaded();
    const { pid } = await system.postgres();

    process.kill(pid, 'SIGKILL');
    await letGo();

    await expectSound(system, ids);
    expect((await system.postgres()).pid).not.toBe(pid);
  });

  it('a worker that is stopped past its lease and continued lands nothing', async () => {
    const { system, ids, held, letGo } = await startLoaded();
    const [zombie] = held as [Held, ...Held[]];

    zombie.worker.child.kill('SIGSTOP');
    await until('another worker to begin what it holds', async () => {
      const [latest] = await attemptsAt(system, zombie);
      return latest?.status === 'running' && latest.attempt > zombie.attempt;
    });
    const before = refusals(zombie);
    await letGo(); // its command ends too: a result waits for it
    zombie.worker.child.kill('SIGCONT');
    await until('what it sends to be refused', () => refusals(zombie) > before);

    await expectSound(system, ids);
    await expectTakenOver(system, zombie);
  });
});
