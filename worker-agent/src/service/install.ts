import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { CommandError } from '../terminal/command-error.ts';
import type { Plan } from './manager.ts';

/** Runs a command. It takes at most as long as the service may take to stop. */
const call = async ([file = '', ...args]: readonly string[]): Promise<void> => {
  await promisify(execFile)(file, args);
};

const callIgnoringErrors = (words: readonly string[]): Promise<void> => call(words).catch(() => {});

const failed = (words: readonly string[], { file }: Plan, cause: Error): CommandError => {
  const message = (cause as { stderr?: string }).stderr?.trim() || cause.message;
  return new CommandError(
    `${file} was written, but the service was not started: ${words.join(' ')}: ${message}`,
    'correct this and try again, or start the worker without a service: maw worker start',
    { cause },
  );
};

/** Writes the service file and starts the service; an existing service is replaced and restarted. */
export const install = async (plan: Plan): Promise<void> => {
  for (const folder of [dirname(plan.file), ...plan.folders]) await mkdir(folder, { recursive: true });
  await writeFile(plan.file, plan.content, { mode: 0o644 });
  if (plan.folders.length > 0) for (const words of plan.undo) await callIgnoringErrors(words);
  for (const words of plan.start)
    await call(words).catch((cause: Error) => {
      throw failed(words, plan, cause);
    });
};

/** Stops and removes the service; running subtasks may finish within the stop timeout of the service. */
export const uninstall = async (plan: Plan): Promise<void> => {
  for (const words of plan.undo) await callIgnoringErrors(words);
  await rm(plan.file, { force: true });
  for (const words of plan.afterwards) await callIgnoringErrors(words);
};
