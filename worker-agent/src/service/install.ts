import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { CommandError } from '../terminal/command-error.ts';
import type { Plan } from './manager.ts';

/** Bounded by the service's own time to stop. */
const call = async ([file = '', ...args]: readonly string[]): Promise<void> => {
  await promisify(execFile)(file, args);
};

const attempt = (words: readonly string[]): Promise<void> => call(words).catch(() => {});

const failed = (words: readonly string[], { file }: Plan, cause: Error): CommandError => {
  const said = (cause as { stderr?: string }).stderr?.trim() || cause.message;
  return new CommandError(
    `${file} is written, but the service was not started: ${words.join(' ')}: ${said}`,
    'mend that and repeat this, or keep the worker running by other means: maw worker start',
    { cause },
  );
};

/** Writes the service and starts it; one that is there already is replaced and started anew. */
export const install = async (plan: Plan): Promise<void> => {
  for (const folder of [dirname(plan.file), ...plan.folders]) await mkdir(folder, { recursive: true });
  await writeFile(plan.file, plan.content, { mode: 0o644 });
  if (plan.folders.length > 0) for (const words of plan.undo) await attempt(words);
  for (const words of plan.start)
    await call(words).catch((cause: Error) => {
      throw failed(words, plan, cause);
    });
};

/** Ends the service and removes it: what runs is finished first, as far as the time to stop allows. */
export const uninstall = async (plan: Plan): Promise<void> => {
  for (const words of plan.undo) await attempt(words);
  await rm(plan.file, { force: true });
  for (const words of plan.afterwards) await attempt(words);
};
