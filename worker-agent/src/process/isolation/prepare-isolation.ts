import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findCommand } from '../find-command.ts';
import { CommandError } from '../../terminal/command-error.ts';
import { SANDBOX } from './bwrap.ts';
import type { Isolation } from './isolation.ts';

export type IsolationWish = { kind: Isolation['kind']; roots: readonly string[]; hidden: readonly string[] };

const ALTERNATIVE = 'or use --isolation env, which is not a security boundary';

/** Returns the requested isolation after testing it. Throws CommandError if it is not available. */
export const prepareIsolation = async ({ kind, roots, hidden }: IsolationWish): Promise<Isolation> => {
  if (kind !== 'bwrap') return { kind };
  if (process.platform !== 'linux')
    throw new CommandError('isolation: bwrap exists on Linux only', `run the worker on Linux, ${ALTERNATIVE}`);
  const bwrap = await findCommand('bwrap');
  if (bwrap === null)
    throw new CommandError('isolation: bwrap was requested and is not on the PATH', `install the package bubblewrap, ${ALTERNATIVE}`);
  try {
    await promisify(execFile)(bwrap, [...SANDBOX, '--', 'true']);
  } catch (cause) {
    const output = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message;
    throw new CommandError(
      `isolation: bwrap was requested and does not work: ${output}`,
      `allow this user to create user namespaces (sysctl, AppArmor, container settings), ${ALTERNATIVE}`,
      { cause },
    );
  }
  return { kind, bwrap, roots, hidden };
};
