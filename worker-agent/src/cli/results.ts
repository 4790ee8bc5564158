import type { Json } from '../../../schema/json.ts';
import type { Subtask } from '../../../schema/task.ts';
import { fit, oneLine, printable } from '../terminal/text.ts';

const MAX_RESULTS = 10;
const MAX_LINES = 20;
const MAX_COLUMNS = 200;
const MAX_CELL_COLUMNS = 40;

const plain = (result: Json): string => (typeof result === 'string' ? result : JSON.stringify(result, null, 2));

/** Completed subtasks on which no other subtask depends: their results are the results of the task. */
const leavesOf = (subtasks: readonly Subtask[]): Subtask[] => {
  const parents = new Set(subtasks.flatMap((it) => it.dependencies));
  return subtasks.filter((it) => it.status === 'completed' && !parents.has(it.key));
};

export const hasResult = ({ result, result_artifact_id }: Subtask) => result !== null || result_artifact_id !== null;

/** The complete result as text; for a large result, the artifact that contains it. */
export const resultText = ({ result, result_artifact_id }: Subtask): string =>
  result_artifact_id === null ? printable(plain(result)) : `in the artifact ${result_artifact_id}`;

/** The result or the error of a subtask, for a cell of a table. */
export const shortResult = (subtask: Subtask): string => {
  if (subtask.error !== null && subtask.status !== 'completed') return fit(oneLine(subtask.error.message), MAX_CELL_COLUMNS);
  return hasResult(subtask) ? fit(oneLine(resultText(subtask)), MAX_CELL_COLUMNS) : '';
};

const excerptOf = (subtask: Subtask): string[] => {
  const lines = resultText(subtask).trimEnd().split('\n');
  const shown = lines.slice(0, MAX_LINES).map((line) => `  ${fit(line, MAX_COLUMNS)}`);
  const isCut = lines.length > MAX_LINES || lines.some((line, at) => `  ${line}` !== shown[at]);
  return isCut ? [...shown, `  complete result: maw get ${subtask.subtask_id}`] : shown;
};

/** The results of a task, for machines. */
export const resultsOf = (subtasks: readonly Subtask[]) =>
  leavesOf(subtasks).map(({ key, subtask_id, result, result_artifact_id }) => ({ key, subtask_id, result, result_artifact_id }));

/** The results of a task for people: each under the key of its subtask, and shortened if it is long. */
export const resultsText = (subtasks: readonly Subtask[]): string => {
  const leaves = leavesOf(subtasks).filter(hasResult);
  const blocks = leaves.slice(0, MAX_RESULTS).map((it) => [`result of ${it.key}`, ...excerptOf(it)].join('\n'));
  const more = leaves.length > MAX_RESULTS ? [`and ${leaves.length - MAX_RESULTS} more: maw get ${leaves[0]?.task_id}`] : [];
  return [...blocks, ...more].join('\n\n');
};
