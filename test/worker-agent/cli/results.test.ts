import { describe, expect, it } from 'vitest';
import type { Subtask } from '../../../schema/task.ts';
import { resultsOf, resultsText, shortResult } from '../../../worker-agent/src/cli/results.ts';

const subtask = (given: Partial<Subtask>): Subtask =>
  ({
    subtask_id: `id-of-${given.key}`,
    task_id: 'the-task',
    status: 'completed',
    dependencies: [],
    result: null,
    result_artifact_id: null,
    error: null,
    ...given,
  }) as Subtask;

describe('the results of a task', () => {
  it('are those of completed subtasks on which no other subtask depends', () => {
    const first = subtask({ key: 'first', result: 1 });
    const last = subtask({ key: 'last', result: 'all\n\u001b[31mof it', dependencies: ['first'] });
    const failed = subtask({ key: 'failed', status: 'failed', result: 3 });

    expect(resultsOf([first, last, failed])).toEqual([
      { key: 'last', subtask_id: 'id-of-last', result: 'all\n\u001b[31mof it', result_artifact_id: null },
    ]);
    expect(resultsText([first, last, failed])).toBe('result of last\n  all\n  of it');
  });

  it('are shortened if they are long or many, with the command that shows the rest', () => {
    const long = subtask({ key: 'long', result: Array.from({ length: 21 }, (_, at) => `line ${at}`).join('\n') });
    const wide = subtask({ key: 'wide', result: { wide: 'x'.repeat(300) } });
    const large = subtask({ key: 'large', result_artifact_id: 'the-artifact' });
    const many = Array.from({ length: 12 }, (_, at) => subtask({ key: `k${at}`, result: at }));

    expect(resultsText([long])).toMatch(/ {2}line 19\n {2}complete result: maw get id-of-long$/);
    expect(resultsText([wide])).toMatch(/ {4}"wide": "x+…\n {2}\}\n {2}complete result: maw get id-of-wide$/);
    expect(resultsText([large])).toBe('result of large\n  in the artifact the-artifact');
    expect(resultsText(many)).toMatch(/result of k9\n {2}9\n\nand 2 more: maw get the-task$/);
    expect(resultsText([subtask({ key: 'nothing' })])).toBe('');
  });

  it('take one line each in a table, as do errors', () => {
    expect(shortResult(subtask({ result: { a: [1, 2] } }))).toBe('{ "a": [ 1, 2 ] }');
    expect(shortResult(subtask({ result: 'x'.repeat(60) }))).toHaveLength(40);
    expect(shortResult(subtask({ status: 'failed', error: { failure_class: 'tool_error', message: 'it\nbroke' } }))).toBe('it broke');
    expect(shortResult(subtask({ status: 'running' }))).toBe('');
  });
});
