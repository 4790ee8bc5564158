import { LIMITS } from '../../../../schema/json.ts';
import { TaskStatus } from '../../../../schema/states.ts';
import { CALLER, type Command, text } from '../command.ts';
import { EXIT, UsageError } from '../../terminal/command-error.ts';
import { taskTable } from '../show.ts';

export const list: Command = {
  name: 'list',
  args: '',
  summary: 'List tasks, newest first',
  minArgs: 0,
  maxArgs: 0,
  settings: CALLER,
  options: {
    status: { type: 'string', placeholder: 'STATUS', help: `Only those that are ${TaskStatus.options.join(', ')}` },
    search: { type: 'string', short: 's', placeholder: 'WORDS', help: 'Only those with all these words' },
    limit: { type: 'string', short: 'n', placeholder: 'N', help: `How many, at most ${LIMITS.page} [50]` },
    cursor: { type: 'string', placeholder: 'CURSOR', help: 'next_cursor of the page before' },
  },
  run: async ({ io, client, options, config }) => {
    const status = TaskStatus.optional().safeParse(options.status);
    if (!status.success)
      throw new UsageError(`--status ${String(options.status)} is not a status of a task`, `take one of ${TaskStatus.options.join(', ')}`);
    const given = { status: status.data, q: text(options, 'search'), limit: text(options, 'limit'), cursor: text(options, 'cursor') };
    const query = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const page = await client.listTasks({ query });
    if (config.json) io.out(JSON.stringify(page));
    else if (page.items.length === 0) io.out('no tasks; submit one: maw submit "GOAL"');
    else io.out(taskTable(io, page.items) + (page.next_cursor === null ? '' : `\n\nnext: maw list --cursor ${page.next_cursor}`));
    return EXIT.ok;
  },
};
