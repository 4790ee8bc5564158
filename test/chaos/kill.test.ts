import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { attemptsAt, expectSound, expectTakenOver, type Held, startLoaded } from './support/load.ts';

/** Whether a worker has said this of what it holds. */
const hasSaid = ({ worker, subtask_id }: Held, event: string, more = '') =>
  worker
    .output()
    .split('\n')
    .some((line) => line.includes(` ${event} `) && line.includes(subtask_id) && line.includes(more));

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
    // As long as the server is silent, nobody tells the zombie what it has lost: it ends its work by itself, and asks.
    system.server().child.kill('SIGSTOP');
    await letGo();
    zombie.worker.child.kill('SIGCONT');
    await until('it to end its work', () => hasSaid(zombie, 'subtask.released', 'may have expired'));
    system.server().child.kill('SIGCONT');
    await until('it to hear that the lease is lost', () => hasSaid(zombie, 'subtask.dropped', 'reason=lease_lost'));

    await expectSound(system, ids);
    await expectTakenOver(system, zombie);
  });
});
