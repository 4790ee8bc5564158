import { QueueName } from '../../../../schema/queue.ts';
import { CLIENT_SETTINGS, type Command, type CommandContext, text } from '../command.ts';
import { EXIT, UsageError } from '../../terminal/command-error.ts';
import { oneLine, table } from '../../terminal/text.ts';

const queuesOf = ({ options }: CommandContext): QueueName[] => {
  const wanted = text(options, 'queue');
  if (wanted === undefined) return [...QueueName.options];
  const parsed = QueueName.safeParse(wanted);
  if (!parsed.success) throw new UsageError(`there is no queue ${wanted}`, `set --queue to ${QueueName.options.join(' or ')}`);
  return [parsed.data];
};

const options = { queue: { type: 'string', placeholder: 'NAME', help: `${QueueName.options.join(' or ')} [both]` } } as const;
const common = { args: '', minArgs: 0, maxArgs: 0, settings: CLIENT_SETTINGS, options } as const;

export const dlqList: Command = {
  ...common,
  name: 'dlq list',
  summary: 'List dead letters: messages that could not be processed, with the reason',
  run: async (context) => {
    const { io, client, config } = context;
    const rows: string[][] = [];
    for (const queue of queuesOf(context)) {
      const page = await client.listDeadLetters({ query: { queue } });
      if (config.json) io.out(JSON.stringify({ queue, ...page }));
      rows.push(...page.items.map((it) => [queue, it.topic ?? '?', it.sent_at, String(it.receive_count), oneLine(it.reason ?? 'unknown')]));
    }
    if (!config.json) io.out(rows.length === 0 ? 'no dead letters' : table(['QUEUE', 'TOPIC', 'SENT', 'TRIES', 'REASON'], rows));
    return EXIT.ok;
  },
};

export const dlqRedrive: Command = {
  ...common,
  name: 'dlq redrive',
  summary: 'Move dead letters back to their queue, once the cause of their failure is fixed',
  run: async (context) => {
    const { io, client, config } = context;
    for (const queue of queuesOf(context)) {
      const { moved } = await client.redriveDeadLetters({ body: { queue } });
      const message = moved === null ? 'its dead letters are moved back in the background' : `${moved} dead letters were moved back`;
      io.out(config.json ? JSON.stringify({ queue, moved }) : `${queue}: ${message}`);
    }
    return EXIT.ok;
  },
};
