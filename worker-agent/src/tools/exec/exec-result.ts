import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '../../../../schema/json.ts';
import { RESULT_FILE } from '../../process/command-env.ts';
import type { ExecInput } from './exec-input.ts';
import { insideOf } from '../../process/folders.ts';
import { AgentFailure } from '../../attempt/agent-failure.ts';

type Places = { workspace: string; cwd: string; roots: readonly string[]; maxBytes: number };

const parsed = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
};

export const tooLarge = (what: string, maxBytes: number) =>
  new AgentFailure(
    'tool_error',
    `${what} is larger than ${maxBytes} bytes, the limit of this worker for a result (--max-result-bytes); return a smaller result`,
  );

const readResult = async (path: string, maxBytes: number): Promise<string> => {
  const file = await stat(path);
  if (!file.isFile()) throw new AgentFailure('invalid_result', 'The result file is not a regular file');
  if (file.size > maxBytes) throw tooLarge('The result file', maxBytes);
  return readFile(path, 'utf8');
};

/** The text of the result file that the command wrote, or null if it wrote none. */
const writtenResult = async (input: ExecInput, { workspace, cwd, roots, maxBytes }: Places): Promise<string | null> => {
  const named = input.result_file;
  const path =
    named === undefined
      ? await insideOf([workspace], workspace, join(workspace, RESULT_FILE), 'The result file')
      : await insideOf([workspace, ...roots], cwd, named, 'result_file');
  return path === null ? null : readResult(path, maxBytes);
};

/** The result of a command that succeeded: its result file, or else its output. */
export const resultOf = async (input: ExecInput, stdout: string, places: Places): Promise<Json> => {
  const written = await writtenResult(input, places);
  if (written === null && (input.result === 'file' || input.result_file !== undefined))
    throw new AgentFailure('invalid_result', `The command did not write ${input.result_file ?? 'the file named by MAW_RESULT_FILE'}`);
  const text = (written ?? stdout).replace(/\r?\n$/, '');
  if (input.result === 'text') return text;
  const value = parsed(text);
  if (value === undefined && input.result === 'json')
    throw new AgentFailure('invalid_result', 'The command succeeded, but its result is not JSON');
  return value ?? (value === null ? null : text);
};
