import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { attemptsAt, expectSound, expectTakenOver, type Held, startLoaded } from './support/load.ts';

/** Whether a worker has logged an event about the subtask that it holds. */
const hasLogged = ({ worker, subtask_id }: Held, event: string, more = '') =>
  worker
    .output()
    .split('\n')
    .some((line) => line.includes(` ${event} `) && line.includes(subtask_id) && line.includes(more));

describe('with many subtasks in progress', () => {
  it('killing workers loses no work', async () => {
    const { system, ids, held, release } = await startLoaded();

    await Promise.all(held.map(({ worker }) => worker.kill('SIGKILL')));
    await release();

    await expectSound(system, ids);
    for (const it of held) await expectTakenOver(system, it);
  });

  it('a server that was killed continues after a restart', async () => {
    const { system, ids, release } = await startLoaded();

    await system.server().kill('SIGKILL');
    await release();
    await system.restartServer();

    await expectSound(system, ids);
  });

  it('a Postgres that was killed is restarted and has lost nothing', async () => {
    const { system, ids, release } = await startLoaded();
    const { pid } = await system.postgres();

    process.kill(pid, 'SIGKILL');
    await release();

    await expectSound(system, ids);
    expect((await system.postgres()).pid).not.toBe(pid);
  });

  it('a worker that is stopped until its lease has expired, and then continued, has no result accepted', async () => {
    const { system, ids, held, release } = await startLoaded();
    const [zombie] = held as [Held, ...Held[]];

    zombie.worker.child.kill('SIGSTOP');
    await until('another worker to start its subtask', async () => {
      const [latest] = await attemptsAt(system, zombie);
      return latest?.status === 'running' && latest.attempt > zombie.attempt;
    });
    // While the server is stopped, the zombie cannot learn that its lease is lost: it must stop its work by itself.
    system.server().child.kill('SIGSTOP');
    await release();
    zombie.worker.child.kill('SIGCONT');
    await until('it to stop its work', () => hasLogged(zombie, 'subtask.released', 'may have expired'));
    system.server().child.kill('SIGCONT');
    await until('it to learn that the lease is lost', () => hasLogged(zombie, 'subtask.dropped', 'reason=lease_lost'));

    await expectSound(system, ids);
    await expectTakenOver(system, zombie);
  });
});
