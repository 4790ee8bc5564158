import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SUBTASK_EDGES, TASK_EDGES } from '../../schema/states.ts';

const text = await readFile(join(import.meta.dirname, '../../docs/architecture.md'), 'utf8');

/** The rows of the table whose header begins with this cell, as lists of cells. */
const tableOf = (header: string): string[][] => {
  const table = text.split(`\n| ${header} |`)[1]?.split('\n\n')[0] ?? '';
  return table
    .split('\n')
    .slice(2)
    .map((line) => line.replace(/^\| | ?\|$/g, '').split(' | '));
};

/** `running, ready` in the first column stands for two changes. */
const changesIn = (header: string) =>
  tableOf(header).flatMap(([from = '', to, cause, event = '', attempt = '']) =>
    from.split(', ').map((state) => ({
      from: state,
      to,
      cause,
      event: /^`(.*)`$/.exec(event)?.[1] ?? (event.startsWith('none') ? null : event),
      attempt: attempt.trim() || null,
    })),
  );

describe('docs/architecture.md', () => {
  it.each([
    ['subtask', SUBTASK_EDGES],
    ['task', TASK_EDGES],
  ])('lists every change of state of a %s, and no other, as schema/states.ts has them', (noun, edges) => {
    expect(changesIn(`${noun} from`)).toEqual(edges);
  });
});
