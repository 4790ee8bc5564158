import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { blocked } from '../worker-agent/support/blocked.ts';
import { startPlatform } from '../worker-agent/support/fake-platform.ts';

/** The default of a worker. */
const STALL_MS = 30_000;
const LEASE_MS = 6_000;

describe.skipIf(process.platform === 'win32')('a worker whose main thread is blocked, with production time limits,', () => {
  it('for 10 s keeps its leases, although they are shorter', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, busy_heartbeat_ms: LEASE_MS / 6, lease_ms: LEASE_MS };
    const subtask = platform.add({ lease_seconds: LEASE_MS / 1_000 });
    await blocked(platform, 10_000, STALL_MS);

    await until('the result', () => platform.ended.has(subtask.subtask_id), 30_000);

    expect(platform.output(subtask)).toEqual({ command: true });
  });

  it('for 40 s loses its leases, and its tools are stopped before it resumes', async () => {
    const platform = await startPlatform();
    const subtask = platform.add();
    const { running, isRunning } = await blocked(platform, 40_000, STALL_MS);

    await until('the command to be gone', () => !isRunning(), 60_000);
    const output = running.output();
    await until('the subtask to be released', () => platform.ended.has(subtask.subtask_id), 60_000);

    expect(output).not.toContain('unblocked');
    expect(platform.ended.get(subtask.subtask_id)).toMatchObject({ kind: 'released' });
  });
});
