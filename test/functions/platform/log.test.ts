import { describe, expect, it } from 'vitest';
import { createLog } from '../../../functions/platform/log.ts';

const logging = (LOG_LEVEL: 'debug' | 'warn', LOG_FORMAT: 'json' | 'text') => {
  const lines: string[] = [];
  return { lines, log: createLog({ LOG_LEVEL, LOG_FORMAT }, (text) => lines.push(text)) };
};

describe('the log', () => {
  it('writes a line of JSON for machines, with what an error was and what caused it', () => {
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

  it('leaves out what is below its level', () => {
    const { lines, log } = logging('warn', 'json');

    for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level);

    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(['warn', 'error']);
  });

  it('gives no stack for a warning', () => {
    const { lines, log } = logging('warn', 'text');

    log('warn', 'database.away', { error: new Error('it is starting up') });

    expect(lines[0]).toContain('it is starting up');
    expect(lines[0]).not.toContain('log.test.ts');
  });
});
