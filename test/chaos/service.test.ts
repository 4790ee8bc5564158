import { readdirSync, readFileSync } from 'node:fs';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { joinUrl } from '../../worker-agent/src/cli/join-url.ts';
import { ended } from '../e2e/support/cli.ts';
import { run, startSystem, until } from '../support/processes.ts';
import { folderForTest } from '../worker-agent/support/agent.ts';
import { hasUserManager, startUserManager } from './support/user-manager.ts';

/** The ids of processes with this last argument. */
const running = (argument: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith(`\0${argument}\0`);
    } catch {
      return false;
    }
  });

const setUp = async () => {
  const system = await startSystem();
  const home = await folderForTest();
  await chmod(home, 0o711);
  const manager = await startUserManager(home);
  const maw = (...args: string[]) => ended(run(['worker-agent/bin/maw.mjs', 'worker', ...args], manager.env));
  const sleep = async (seconds: string) => {
    const subtasks = [{ key: 'a', goal: 'Sleep', tool: 'exec', input: { argv: ['sleep', seconds] } }];
    const { task_id } = await system.admin.submitTask({ body: { goal: 'Sleep', subtasks } });
    await until('it to sleep', () => running(seconds).length > 0);
    return task_id;
  };
  return { system, home, maw, sleep, ...manager };
};

describe.skipIf(!hasUserManager())('a worker that systemd runs', () => {
  it('is restarted after a crash, stops tools that the crash left running, and finishes its subtasks before a restart', async () => {
    const { system, home, maw, sleep, systemctl, property } = await setUp();
    const { enrolment_token } = await system.admin.createEnrolmentToken({ body: { tools: ['exec'] } });
    const joined = await maw('join', joinUrl(system.url, enrolment_token), '--service', '--tools', 'exec', '--exec-allow', 'sleep');
    const [unit = ''] = await readdir(join(home, '.config/systemd/user')).then((names) => names.filter((it) => it.endsWith('.service')));

    expect(joined).toMatchObject({ code: 0, error: '' });
    const long = await sleep('301.5');
    const first = await property(unit, 'MainPID');
    process.kill(Number(first), 'SIGKILL');
    await until('it to be restarted', async () => (await property(unit, 'NRestarts')) === '1');
    await until('the old tool to be stopped', () => running('301.5').length === 0);
    await system.admin.cancelTask({ params: { task_id: long }, body: {} });

    const short = await sleep('2.5');
    await systemctl('restart', unit);
    const after = await system.admin.getTask({ params: { task_id: short } });
    const { items } = await system.admin.listSubtasks({ params: { task_id: short } });
    const state = await property(unit, 'ActiveState');
    const removed = await maw('uninstall-service', '--url', system.url);

    expect(after.status).toBe('completed');
    expect(items.map(({ attempt }) => attempt)).toEqual([1]);
    expect(state).toBe('active');
    expect(removed.code).toBe(0);
    expect(await systemctl('list-units', 'maw*', '--no-legend')).toBe('');
  });
});
