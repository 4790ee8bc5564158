import type { Workspace } from '../../attempt/workspace.ts';
import { inBwrap } from './bwrap.ts';
import { emptyEnv, ownEnv } from './isolated-env.ts';
import type { Isolation, IsolatedCommand, ToolCommand } from './isolation.ts';

/** The one place where it is decided how a command of an attempt is started. */
export const isolate = (isolation: Isolation, workspace: Workspace, command: ToolCommand): IsolatedCommand => {
  if (isolation.kind === 'none') return { ...command, env: { ...ownEnv(), ...command.env }, isWrapped: false };
  const env = { ...emptyEnv(workspace), ...command.env };
  if (isolation.kind === 'env') return { ...command, env, isWrapped: false };
  return { ...inBwrap(isolation, workspace, { ...command, env }), isWrapped: true };
};
