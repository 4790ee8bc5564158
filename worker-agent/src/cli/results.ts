import type { Json } from '../../../schema/json.ts';
import type { Subtask } from '../../../schema/task.ts';
import { fit, oneLine, printable } from '../terminal/text.ts';

const MOST_RESULTS = 10;
const MOST_LINES = 20;
const MOST_COLUMNS = 200;
const SHORT_COLUMNS = 40;

const plain = (result: Json): string => (typeof result === 'string' ? result : JSON.stringify(result, null, 2));

/** Completed subtasks whose output no other one takes: what the task as a whole brought. */
const leavesOf = (subtasks: readonly Subtask[]): Subtask[] => {
  const parents = new Set(subtasks.flatMap((it) => it.dependencies));
  return subtasks.filter((it) => it.status === 'completed' && !parents.has(it.key));
};

export const hasResult = ({ result, result_artifact_id }: Subtask) => result !== null || result_artifact_id !== null;

/** The whole result, as text; where it is too large for that, where it lies. */
export const resultText = ({ result, result_artifact_id }: Subtask): string =>
  result_artifact_id === null ? printable(plain(result)) : `in the artifact ${result_artifact_id}`;

/** What a subtask brought or why it failed, in a cell of a table. */
export const shortResult = (subtask: Subtask): string => {
  if (subtask.error !== null && subtask.status !== 'completed') return fit(oneLine(subtask.error.message), SHORT_COLUMNS);
  return hasResult(subtask) ? fit(oneLine(resultText(subtask)), SHORT_COLUMNS) : '';
};

const bounded = (subtask: Subtask): string[] => {
  const lines = resultText(subtask).trimEnd().split('\n');
  const shown = lines.slice(0, MOST_LINES).map((line) => `  ${fit(line, MOST_COLUMNS)}`);
  const isCut = lines.length > MOST_LINES || lines.some((line, at) => `  ${line}` !== shown[at]);
  return isCut ? [...shown, `  all of it: maw get ${subtask.subtask_id}`] : shown;
};

/** The results of a task, for machines. */
export const resultsOf = (subtasks: readonly Subtask[]) =>
  leavesOf(subtasks).map(({ key, subtask_id, result, result_artifact_id }) => ({ key, subtask_id, result, result_artifact_id }));

/** The results of a task for people, under the keys of their subtasks, each cut where it is long. */
export const resultsText = (subtasks: readonly Subtask[]): string => {
  const leaves = leavesOf(subtasks).filter(hasResult);
  const blocks = leaves.slice(0, MOST_RESULTS).map((it) => [`result of ${it.key}`, ...bounded(it)].join('\n'));
  const more = leaves.length > MOST_RESULTS ? [`and ${leaves.length - MOST_RESULTS} more: maw get ${leaves[0]?.task_id}`] : [];
  return [...blocks, ...more].join('\n\n');
};
