import type { LogChunk } from '../../../../schema/log.ts';
import { jittered } from '../../../../schema/client/backoff.ts';
import { WakeableTimer } from '../../../../schema/client/wakeable-timer.ts';
import { CLIENT_SETTINGS, type Command, type CommandContext, text } from '../command.ts';
import { EXIT, UsageError } from '../../terminal/command-error.ts';
import { printable } from '../../terminal/text.ts';
import { idOf, withSubtaskId } from '../ids.ts';

const PAGE = 100;

/** 0 means the latest attempt. */
const attemptOf = (options: CommandContext['options']): number => {
  const given = text(options, 'attempt') ?? '0';
  if (!/^\d{1,15}$/.test(given))
    throw new UsageError(`--attempt ${given} is not the number of an attempt`, 'use a whole number, starting at 1');
  return Number(given);
};

const show = ({ io, config }: CommandContext, chunk: LogChunk): void => {
  if (config.json) io.out(JSON.stringify(chunk));
  else io.raw(io.isTerminal ? printable(chunk.content) : chunk.content);
};

export const logs: Command = {
  name: 'logs',
  args: 'SUBTASK_ID',
  summary: 'Print the output of the tool in the latest attempt, or in another one',
  minArgs: 1,
  maxArgs: 1,
  settings: [...CLIENT_SETTINGS, 'poll_ms'],
  options: {
    attempt: { type: 'string', placeholder: 'N', help: 'The number of the attempt [the latest]' },
    follow: { type: 'boolean', short: 'f', help: 'Keep printing until the attempt has ended' },
  },
  run: async (context) => {
    const { client, options, config } = context;
    const id = idOf(context, 'subtask');
    let attempt = attemptOf(options);
    for (let last = -1; ; ) {
      const query = { attempt, after_chunk: last, limit: PAGE };
      const page = await withSubtaskId(context, id, () => client.listLogs({ params: { subtask_id: id }, query }));
      for (const chunk of page.items) show(context, chunk);
      last = page.items.at(-1)?.chunk ?? last;
      // Stay with the attempt that was shown first: the next attempt starts again at chunk 0.
      attempt = page.attempt;
      if (page.complete || (!page.more && options.follow !== true)) return EXIT.ok;
      if (!page.more) await new WakeableTimer().wait(jittered(config.poll_ms));
    }
  },
};
