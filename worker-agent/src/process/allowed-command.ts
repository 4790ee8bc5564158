import { AgentFailure } from '../attempt/agent-failure.ts';
import type { AdapterHost, Job } from '../tools/adapter.ts';
import { resolveCommand } from './find-command.ts';
import { commandEnv } from './command-env.ts';
import { workingFolder } from './folders.ts';
import type { Finished } from './spawn.ts';

/** Which commands the worker's owner allows, and in which folders. The server cannot extend this. */
export type CommandRules = { allow: readonly string[]; roots: readonly string[] };

type AllowedCommand = {
  argv: readonly string[];
  cwd?: string | undefined;
  env?: Record<string, string>;
  stdin?: string | undefined;
  /** Ends only this command. */
  signal?: AbortSignal;
  onOutput?: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
};

const spawned = async (host: AdapterHost, file: string, args: readonly string[], options: Parameters<AdapterHost['spawn']>[2]) => {
  try {
    return await host.spawn(file, args, options);
  } catch (cause) {
    if (cause instanceof AgentFailure) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AgentFailure('spawn_failed', `${file} could not be started: ${code ?? message}`, { cause });
  }
};

/** Runs an allowed command without a shell and logs its output. Throws denied or spawn_failed. */
export const runAllowed = async (
  rules: CommandRules,
  job: Job,
  host: AdapterHost,
  command: AllowedCommand,
): Promise<Finished & { cwd: string }> => {
  const [name = '', ...args] = command.argv;
  const cwd = await workingFolder(host.workspace, rules.roots, command.cwd);
  const file = await resolveCommand(name, rules.allow, cwd);
  const env = commandEnv(job, host, command.env ?? {});
  const onOutput = (stream: 'stdout' | 'stderr', bytes: Buffer) => {
    command.onOutput?.(stream, bytes);
    host.emit({ type: 'log', stream, text: bytes });
  };
  const finished = await spawned(host, file, args, { cwd, env, stdin: command.stdin, signal: command.signal, onOutput });
  host.signal.throwIfAborted();
  return { ...finished, cwd };
};

export const endOf = ({ code, signal }: Finished): string => (signal === null ? `exit code ${code}` : `ended by ${signal}`);
