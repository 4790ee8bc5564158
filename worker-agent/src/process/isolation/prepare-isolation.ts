import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findCommand } from '../find-command.ts';
import { CommandError } from '../../terminal/command-error.ts';
import { WORLD } from './bwrap.ts';
import type { Isolation } from './isolation.ts';

export type IsolationWish = { kind: Isolation['kind']; roots: readonly string[]; hidden: readonly string[] };

const ELSE = 'or take --isolation env, which is no boundary';

/** The isolation that was asked for, tried out; throws CommandError when it is not to be had. */
export const prepareIsolation = async ({ kind, roots, hidden }: IsolationWish): Promise<Isolation> => {
  if (kind !== 'bwrap') return { kind };
  if (process.platform !== 'linux') throw new CommandError('isolation: bwrap exists on Linux only', `run the worker on Linux, ${ELSE}`);
  const bwrap = await findCommand('bwrap');
  if (bwrap === null)
    throw new CommandError('isolation: bwrap is asked for and not on the PATH', `install the package bubblewrap, ${ELSE}`);
  try {
    await promisify(execFile)(bwrap, [...WORLD, '--', 'true']);
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message;
    throw new CommandError(
      `isolation: bwrap is asked for and does not work: ${said}`,
      `let this user make user namespaces (sysctl, AppArmor, container settings), ${ELSE}`,
      { cause },
    );
  }
  return { kind, bwrap, roots, hidden };
};
