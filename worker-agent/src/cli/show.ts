import type { Event } from '../../../schema/events.ts';
import type { Subtask, Task } from '../../../schema/task.ts';
import { type Io, paintStatus } from '../terminal/io.ts';
import { fit, oneLine, table } from '../terminal/text.ts';
import { shortResult } from './results.ts';

const GOAL_COLUMNS = 60;
const SHORT_GOAL_COLUMNS = 40;

export const ageOf = (timestamp: string, now = Date.now()): string => {
  const seconds = Math.max(0, Math.round((now - Date.parse(timestamp)) / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
};

const shortGoal = (goal: string, columns = GOAL_COLUMNS): string => fit(oneLine(goal), columns);

/** In UTC and with a fixed width: the database omits trailing zeros of fractions. */
const timeOf = (timestamp: string): string => new Date(timestamp).toISOString();

const statusOf = (io: Io, { status, paused }: Task): string => `${paintStatus(io, status)}${paused ? ' (paused)' : ''}`;

export const taskTable = (io: Io, tasks: readonly Task[]): string =>
  table(
    ['TASK', 'STATUS', 'DONE', 'AGE', 'GOAL'],
    tasks.map((task) => [
      task.task_id,
      statusOf(io, task),
      `${task.completed_count}/${task.subtask_count}`,
      ageOf(task.created_at),
      shortGoal(task.goal),
    ]),
  );

export const subtaskTable = (io: Io, subtasks: readonly Subtask[]): string =>
  table(
    ['KEY', 'STATUS', 'TOOL', 'TRY', 'SUBTASK', 'GOAL', 'RESULT'],
    subtasks.map((it) => [
      it.key,
      paintStatus(io, it.status),
      it.tool,
      String(it.attempt),
      it.subtask_id,
      shortGoal(it.goal, SHORT_GOAL_COLUMNS),
      shortResult(it),
    ]),
  );

export const taskText = (io: Io, task: Task): string => {
  const rows = [
    ['task', task.task_id],
    ['goal', shortGoal(task.goal)],
    ['status', `${statusOf(io, task)}, ${task.progress} %, ${task.completed_count} of ${task.subtask_count} subtasks`],
    ['run', `${task.run}, version ${task.version}, priority ${task.priority}`],
    ['created', timeOf(task.created_at)],
    ...(task.ended_at === null ? [] : [['ended', timeOf(task.ended_at)]]),
    ...(task.error === null ? [] : [['error', `${task.error.code}: ${oneLine(task.error.message)}`]]),
  ];
  return table(['', ''], rows).replace(/^\n/, '');
};

export const eventLine = (io: Io, event: Event): string => {
  const tone = event.level === 'error' ? 'bad' : event.level === 'warning' ? 'strong' : 'soft';
  return `${io.paint('soft', timeOf(event.created_at))}  ${String(event.seq).padStart(4)}  ${io.paint(tone, event.type.padEnd(18))}  ${oneLine(event.message)}`;
};
