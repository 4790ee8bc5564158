import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../../schema/events.ts';
import { eventLine } from '../../../worker-agent/src/cli/show.ts';
import { createLog } from '../../../worker-agent/src/agent/worker-log.ts';
import type { Io } from '../../../worker-agent/src/terminal/io.ts';
import { fit, oneLine, printable, table, width } from '../../../worker-agent/src/terminal/text.ts';

describe('text in a terminal', () => {
  it('counts two columns for wide characters and none for combining marks', () => {
    expect([width('abc'), width('中文'), width('e\u0301'), width('カタカナ'), width('👍')]).toEqual([3, 4, 1, 8, 2]);
  });

  it('is aligned in the columns of a table', () => {
    const lines = table(
      ['NAME', 'X'],
      [
        ['中文', '1'],
        ['long name', '2'],
      ],
    ).split('\n');
    expect(lines.map((line) => width(line.slice(0, line.search(/[X12]$/))))).toEqual([11, 11, 11]);
  });

  it('is cut to the given number of columns', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, columns) => {
        expect(width(fit(oneLine(text), columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it('contains no control sequences', () => {
    expect(oneLine('a\u001b[31mred\u001b[0m\u0007\nb\u202ec')).toBe('ared bc');
    expect(printable('keep\n\tthis\u001b]0;title\u0007')).toBe('keep\n\tthis');
  });
});

describe('the line of an event', () => {
  it('has its parts in columns, with any fraction of a second in the timestamp', () => {
    const io = { paint: (_: unknown, text: string) => text } as Io;
    const lines = ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.6Z', '2026-01-02T03:04:05.678901+00:00'].map((created_at) =>
      eventLine(io, { created_at, seq: 7, type: 'task.started', level: 'info', message: 'it began' } as Event),
    );

    expect(lines).toEqual(['000', '600', '678'].map((ms) => `2026-01-02T03:04:05.${ms}Z     7  task.started        it began`));
  });
});

describe('the log of the worker', () => {
  it('writes one line for each change of state, as text or as JSON', () => {
    const lines: string[] = [];
    createLog('text', (line) => lines.push(line))('info', 'subtask.claimed', { key: 'a b', attempt: 1, none: undefined });
    createLog('json', (line) => lines.push(line))('warn', 'x.y', { message: 'two\nlines' });

    expect(lines[0]).toMatch(/^\S+Z info {2}subtask\.claimed key="a b" attempt=1$/);
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ level: 'warn', event: 'x.y', app: 'maw-worker', message: 'two\nlines' });
    expect(lines[1]).not.toContain('\n');
  });
});
