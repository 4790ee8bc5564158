import type { Workspace } from '../../attempt/workspace.ts';
import { inBwrap } from './bwrap.ts';
import { minimalEnv, ownEnv } from './isolated-env.ts';
import type { Isolation, IsolatedCommand, ToolCommand } from './isolation.ts';

/** How a command of an attempt is started, by the isolation of the worker. */
export const isolate = (isolation: Isolation, workspace: Workspace, command: ToolCommand): IsolatedCommand => {
  if (isolation.kind === 'none') return { ...command, env: { ...ownEnv(), ...command.env }, isWrapped: false };
  const env = { ...minimalEnv(workspace), ...command.env };
  if (isolation.kind === 'env') return { ...command, env, isWrapped: false };
  return { ...inBwrap(isolation, workspace, { ...command, env }), isWrapped: true };
};
