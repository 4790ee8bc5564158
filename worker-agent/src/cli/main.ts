import { createClient } from '../../../schema/client/client.ts';
import { PRODUCT } from '../../../schema/product.ts';
import { checkCount, parseArguments } from './arguments.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './command-list.ts';
import { loadConfig } from './load-config.ts';
import { commandHelp, overview } from './help.ts';
import { flagOf, SETTING_KEYS } from './settings.ts';
import { EXIT, toCommandError, UsageError } from '../terminal/command-error.ts';
import { type Io, terminal } from '../terminal/io.ts';

const find = (words: readonly string[]): { command: Command; rest: readonly string[] } | null => {
  for (const length of [2, 1]) {
    const command = COMMANDS.find(({ name }) => name === words.slice(0, length).join(' '));
    if (command) return { command, rest: words.slice(length) };
  }
  return null;
};

const start = async (command: Command, words: readonly string[], io: Io, env: NodeJS.ProcessEnv): Promise<number> => {
  const { options, positionals } = parseArguments(command, words);
  if (options.help === true) {
    io.out(commandHelp(command));
    return EXIT.ok;
  }
  checkCount(command, positionals);
  const flags = Object.fromEntries(SETTING_KEYS.filter((key) => command.settings.includes(key)).map((key) => [key, options[flagOf(key)]]));
  const loaded = loadConfig({ flags, env, file: typeof options.config === 'string' ? options.config : undefined });
  const { config } = loaded;
  const client = createClient({ url: config.url, token: config.api_key, timeoutMs: config.timeout_ms });
  return command.run({ io, loaded, config, options, args: positionals, env, client });
};

const reportError = (io: Io, error: unknown): number => {
  const known = toCommandError(error);
  if (known === null) {
    io.error(`maw: unexpected error; this is a bug\n${(error as Error)?.stack ?? error}`);
    return EXIT.failed;
  }
  io.error(`${io.paint('bad', 'maw:')} ${known.message}\n  next: ${known.next}`);
  return known.exitCode;
};

const dispatch = (words: readonly string[], io: Io, env: NodeJS.ProcessEnv): number | Promise<number> => {
  if (words.length === 0 || ['--help', '-h', 'help'].includes(words[0] ?? '')) {
    io.out(overview(COMMANDS));
    return words.length === 0 ? EXIT.usage : EXIT.ok;
  }
  if (words[0] === '--version' || words[0] === '-v') {
    io.out(PRODUCT.version);
    return EXIT.ok;
  }
  const found = find(words);
  if (found !== null) return start(found.command, found.rest, io, env);
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${words[0]} `));
  if (group.length > 0 && (words.length === 1 || words[1] === '--help')) {
    io.out(overview(group));
    return words.length === 1 ? EXIT.usage : EXIT.ok;
  }
  throw new UsageError(`unknown command: ${words.slice(0, group.length > 0 ? 2 : 1).join(' ')}`, 'maw --help lists the commands');
};

/** Runs the command line; returns the exit code. */
export const main = async (words: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> => {
  const io = terminal(env);
  try {
    return await dispatch(words, io, env);
  } catch (error) {
    return reportError(io, error);
  }
};
