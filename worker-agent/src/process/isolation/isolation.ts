import type { Workspace } from '../../attempt/workspace.ts';
import { inBwrap } from './bwrap.ts';
import { emptyEnv, ownEnv } from './isolated-env.ts';

/**
 * What keeps a command apart from the machine. `none`: it has the worker's environment, without what is the worker's alone. `env`: its
 * environment is made from empty, home and temporary folder are the attempt's; no boundary. `bwrap`: moreover it can write to nothing
 * but the folders of the attempt and `roots`, and its processes are a world of their own.
 */
export type Isolation =
  | { kind: 'none' }
  | { kind: 'env' }
  | { kind: 'bwrap'; bwrap: string; roots: readonly string[] /** Files and folders that no tool may read. */; hidden: readonly string[] };

export const ISOLATIONS = ['none', 'env', 'bwrap'] as const;

/** What a tool wants to run: `env` is what it and the subtask declare. */
export type Command = { file: string; args: readonly string[]; cwd: string; env: Record<string, string> };
/** The command that is started for it; a wrapped one does not pass signals on. */
export type Isolated = Command & { isWrapped: boolean };

/** The one place where it is decided how a command of an attempt is started. */
export const isolated = (isolation: Isolation, workspace: Workspace, command: Command): Isolated => {
  if (isolation.kind === 'none') return { ...command, env: { ...ownEnv(), ...command.env }, isWrapped: false };
  const env = { ...emptyEnv(workspace), ...command.env };
  if (isolation.kind === 'env') return { ...command, env, isWrapped: false };
  return { ...inBwrap(isolation, workspace, { ...command, env }), isWrapped: true };
};
