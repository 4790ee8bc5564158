/**
 * How a command is isolated from the machine. `none`: it has the worker's environment, without the worker's own settings. `env`: it has
 * a minimal environment, and the home and temporary folder of the attempt; this is not a security boundary. `bwrap`: in addition, it can
 * write only to the folders of the attempt and `roots`, and it sees only its own processes.
 */
export type Isolation =
  | { kind: 'none' }
  | { kind: 'env' }
  | { kind: 'bwrap'; bwrap: string; roots: readonly string[] /** Files and folders that no tool may read. */; hidden: readonly string[] };

export const ISOLATIONS = ['none', 'env', 'bwrap'] as const;

/** The command that a tool wants to run. `env` has the variables that the tool and the subtask declare. */
export type ToolCommand = { file: string; args: readonly string[]; cwd: string; env: Record<string, string> };
/** The command that is actually started. A wrapped one does not pass signals on. */
export type IsolatedCommand = ToolCommand & { isWrapped: boolean };
