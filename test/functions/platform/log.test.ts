import { describe, expect, it } from 'vitest';
import { createLog } from '../../../functions/platform/log.ts';

const logging = (LOG_LEVEL: 'debug' | 'warn', LOG_FORMAT: 'json' | 'text', LOG_SAMPLE_PERCENT = 100) => {
  const lines: string[] = [];
  return { lines, log: createLog({ LOG_LEVEL, LOG_FORMAT, LOG_SAMPLE_PERCENT }, (text) => lines.push(text)) };
};

describe('the log', () => {
  it('writes a line of JSON for machines, with an error and its cause', () => {
    const { lines, log } = logging('debug', 'json');

    log('error', 'request.failed', { request_id: 'r', error: new Error('outer\nline', { cause: new TypeError('inner') }) });

    expect(lines).toEqual([expect.stringMatching(/^[^\n]+\n$/)]);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      level: 'error',
      event: 'request.failed',
      request_id: 'r',
      error: {
        name: 'Error',
        message: 'outer\nline',
        stack: expect.stringContaining('log.test.ts'),
        cause: { name: 'TypeError', message: 'inner' },
      },
    });
  });

  it('writes a line of text for people', () => {
    const { lines, log } = logging('debug', 'text');

    log('info', 'task.submitted', { task_id: 'a', count: 3, nested: { b: 1 } });

    expect(lines).toEqual([expect.stringMatching(/^\S+Z INFO {2}task\.submitted task_id=a count=3 nested=\{"b":1\}\n$/)]);
  });

  it('omits lines below its level', () => {
    const { lines, log } = logging('warn', 'json');

    for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level);

    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(['warn', 'error']);
  });

  it('gives no stack for a warning', () => {
    const { lines, log } = logging('warn', 'text');

    log('warn', 'database.unavailable', { error: new Error('it is starting up') });

    expect(lines[0]).toContain('it is starting up');
    expect(lines[0]).not.toContain('log.test.ts');
  });

  it('samples the lines of successful requests, all lines of a request or none', () => {
    const { lines, log } = logging('debug', 'json', 10);

    for (const event of ['request.done', 'message.done'])
      for (let id = 0; id < 2_000; id++) log('info', event, { request_id: `request-${id}` });

    const kept = lines.map((line) => JSON.parse(line) as { event: string; request_id: string });
    const [done = [], carried = []] = ['request.done', 'message.done'].map((event) => kept.filter((it) => it.event === event));
    expect(done.length).toBeGreaterThan(100);
    expect(done.length).toBeLessThan(300);
    expect(carried.map((it) => it.request_id)).toEqual(done.map((it) => it.request_id));
  });

  it('keeps every warning and error, and lines without a request', () => {
    const { lines, log } = logging('debug', 'json', 0);

    log('info', 'redis.available');
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level, { request_id: 'a' });

    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(['redis.available', 'warn', 'error']);
  });
});
