import type { Task } from '../../schema/task.ts';
import type { Measured } from './measure.ts';

const percentile = (values: readonly number[], share: number): string => {
  if (values.length === 0) return 'none';
  const sorted = values.toSorted((a, b) => a - b);
  return `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)} ms`;
};

/** Chinese characters are two columns wide. */
const widthOf = (text: string) =>
  [...text].reduce((width, character) => width + (/[ᄀ-ᇿ⺀-꓏가-힣豈-﫿︰-﹏＀-｠]/.test(character) ? 2 : 1), 0);
const pad = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - widthOf(text)));

export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? ''))));
  return rows
    .map(
      (row) =>
        `  ${row
          .map((cell, column) => pad(cell, widths[column] ?? 0))
          .join('  ')
          .trimEnd()}`,
    )
    .join('\n');
};

export const taskTable = (tasks: readonly Task[], right: ReadonlyMap<string, boolean>): string =>
  table([
    ['task', 'status', 'subtasks', 'seconds', 'output'],
    ...tasks.map((task) => [
      task.goal,
      task.status,
      `${task.completed_count}/${task.subtask_count}`,
      ((Date.parse(task.ended_at ?? '') - Date.parse(task.created_at)) / 1_000).toFixed(1),
      right.get(task.task_id) ? 'right' : 'WRONG',
    ]),
  ]);

export const summaryTable = (tasks: readonly Task[], measured: Measured, workers: number): string =>
  table([
    ['tasks completed', `${tasks.filter((task) => task.status === 'completed').length} of ${tasks.length}`],
    ['subtasks', String(measured.subtasks)],
    ['retries', String(measured.retries)],
    ['workers', String(workers)],
    ['time', `${(measured.makespanMs / 1_000).toFixed(2)} s`],
    [
      'parallel efficiency',
      `${measured.efficiency.toFixed(3)}  (list schedule of the measured attempts: ${(measured.idealMs / 1_000).toFixed(2)} s)`,
    ],
    [
      'dispatch latency',
      `p50 ${percentile(measured.latenciesMs, 0.5)}, p95 ${percentile(measured.latenciesMs, 0.95)}  (ready → started, of ${measured.latenciesMs.length} for which a worker was waiting)`,
    ],
  ]);
