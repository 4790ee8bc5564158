import { describe, expect, it, onTestFinished } from 'vitest';
import { AppError } from '../../../schema/errors.ts';
import { type AgentStatus, reasonsAgainst, serveHealth } from '../../../worker-agent/src/agent/health.ts';
import { silentLog } from '../../../worker-agent/src/agent/worker-log.ts';
import type { SpoolState } from '../../../worker-agent/src/report/spool/spool.ts';
import { Metrics } from '../../../worker-agent/src/agent/metrics.ts';
import { freePort, run, until } from '../../support/processes.ts';
import { ended } from '../../e2e/support/cli.ts';
import { agentForTest, folderForTest, holds } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

const SPOOL: SpoolState = { status: 'empty', entries: 0, bytes: 0, oldest_seconds: 0, broken: 0, error: null };
const STATUS: AgentStatus = {
  running: 1,
  slots: 2,
  isDraining: false,
  isRevoked: false,
  heartbeatAgeMs: 1_500,
  heartbeatLimitMs: 9_000,
  spool: SPOOL,
};

const serve = async (status: () => AgentStatus = () => STATUS, metrics = new Metrics()) => {
  const health = await serveHealth({ port: 0, status, metrics });
  onTestFinished(() => health.close());
  return async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${health.port}${path}`);
    return { status: response.status, body: await response.text() };
  };
};

describe('readiness', () => {
  it.each<[string, Partial<AgentStatus>, string[]]>([
    ['is reported while the platform answers', {}, []],
    ['ends when draining begins', { isDraining: true }, ['the worker is draining']],
    ['waits for the first answer', { heartbeatAgeMs: null }, ['the platform has not answered yet']],
    ['ends when the platform stays unavailable', { heartbeatAgeMs: 9_400 }, ['the platform has not answered for 9 s']],
    [
      'ends while no result could be kept',
      { spool: { ...SPOOL, status: 'full', error: 'no space left' } },
      ['its disk cannot store results or workspaces: no space left'],
    ],
    ['ends permanently when the worker is removed', { isRevoked: true, isDraining: true }, ['the platform removed this worker']],
  ])('%s', (_, change, reasons) => {
    expect(reasonsAgainst({ ...STATUS, ...change })).toEqual(reasons);
  });

  it('follows a worker from its start to its end', async () => {
    const platform = await startPlatform();
    const { agent } = await agentForTest(platform);
    const get = await serve(() => agent.status);

    const before = await get('/readyz');
    const work = agent.run();
    await holds(() => agent.status.heartbeatAgeMs !== null);
    const during = await get('/readyz');
    platform.intercept('claimSubtasks', () => new AppError('worker_revoked', 'it was removed'));
    await work.catch(() => {});
    const after = await get('/readyz');

    expect(before).toEqual({ status: 503, body: '{"ready":false,"reasons":["the platform has not answered yet"]}\n' });
    expect(during).toEqual({ status: 200, body: '{"ready":true,"reasons":[]}\n' });
    expect(after).toEqual({ status: 503, body: '{"ready":false,"reasons":["the platform removed this worker"]}\n' });
  });
});

describe('the metrics', () => {
  it('count log lines', async () => {
    const metrics = new Metrics();
    const get = await serve(() => STATUS, metrics);
    const log = metrics.counting(silentLog);
    log('info', 'subtask.claimed');
    log('info', 'subtask.claimed');
    log('info', 'subtask.completed');
    log('warn', 'subtask.failed', { failure_class: 'tool_error' });
    log('warn', 'subtask.lease-lost');
    log('warn', 'subtask.dropped', { reason: 'the lease was lost' });
    log('warn', 'subtask.dropped', { reason: 'lease_lost' });
    log('warn', 'subtask.released', { code: 'lease_at_risk', reason: 'in any words' });
    log('warn', 'request.retried', { operation: 'say "hi"\n' });
    log('warn', 'logs.dropped', { bytes: 512 });

    const { body } = await get('/metrics');

    const samples = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(samples).toEqual([
      'maw_worker_claims_total 2',
      'maw_worker_completions_total 1',
      'maw_worker_failures_total{class="tool_error"} 1',
      'maw_worker_releases_total 1',
      'maw_worker_lease_losses_total 3',
      'maw_worker_retries_total{operation="say \\"hi\\"\\n"} 1',
      'maw_worker_log_dropped_bytes_total 512',
      expect.stringMatching(/^maw_worker_info\{version="[\d.]+",node="[\d.]+"\} 1$/),
      'maw_worker_ready 1',
      'maw_worker_running 1',
      'maw_worker_spool_entries 0',
      'maw_worker_spool_bytes 0',
      'maw_worker_slots 2',
      'maw_worker_heartbeat_age_seconds 1.5',
    ]);
  });

  it('count the output that was dropped because of the cap', async () => {
    const platform = await startPlatform();
    platform.add({ input: { steps: [{ do: 'log', text: 'x'.repeat(1_000) }] } });
    const worker = await agentForTest(platform, { settings: { maxLogBytes: 100 } });

    await worker.finish();

    expect(worker.lines).toContainEqual(expect.objectContaining({ event: 'logs.dropped', bytes: 901 }));
  });

  it('name and describe each family once', async () => {
    const { body } = await (await serve())('/metrics');
    const described = body.split('\n').filter((line) => line.startsWith('# TYPE'));
    expect(new Set(described).size).toBe(described.length);
    expect(described.every((line) => /^# TYPE maw_worker_\w+ (counter|gauge)$/.test(line))).toBe(true);
  });
});

describe('a worker that was given a health port', { timeout: 60_000 }, () => {
  it('answers there, and status shows it; a second worker reports that the port is in use', async () => {
    const platform = await startPlatform();
    const folder = await folderForTest();
    const port = await freePort();
    const flags = ['--url', platform.url, '--state-dir', folder];
    const maw = (...args: string[]) => run(['worker-agent/bin/maw.mjs', 'worker', ...args, ...flags], { HOME: folder });
    const start = (name: string) => maw('start', '--enrol-token', `mae_${name}`, '--health-port', String(port), '--name', name);
    const worker = start('one');
    onTestFinished(() => worker.kill('SIGKILL'));

    await until('it to be ready', async () => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null))?.ok);
    const alive = await fetch(`http://127.0.0.1:${port}/livez`);
    const status = await ended(maw('status', '--name', 'one'));
    const second = await ended(start('two'));
    await worker.kill('SIGTERM');

    expect(alive.status).toBe(200);
    expect(status).toMatchObject({ code: 0, out: expect.stringMatching(/^ready +yes$/m) });
    expect(second).toMatchObject({ code: 1, error: expect.stringMatching(/EADDRINUSE[\s\S]*another --health-port/) });
    expect(worker.child.exitCode).toBe(0);
  });
});
