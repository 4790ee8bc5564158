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
export type ToolCommand = { file: string; args: readonly string[]; cwd: string; env: Record<string, string> };
/** The command that is started for it; a wrapped one does not pass signals on. */
export type IsolatedCommand = ToolCommand & { isWrapped: boolean };
