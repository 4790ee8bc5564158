import { LIMITS } from '../../../../schema/json.ts';
import { TaskStatus } from '../../../../schema/states.ts';
import { CLIENT_SETTINGS, type Command, text } from '../command.ts';
import { EXIT, UsageError } from '../../terminal/command-error.ts';
import { taskTable } from '../show.ts';

export const list: Command = {
  name: 'list',
  args: '',
  summary: 'List tasks, newest first',
  minArgs: 0,
  maxArgs: 0,
  settings: CLIENT_SETTINGS,
  options: {
    status: { type: 'string', placeholder: 'STATUS', help: `Only tasks with this status: ${TaskStatus.options.join(', ')}` },
    search: { type: 'string', short: 's', placeholder: 'WORDS', help: 'Only tasks that contain all of these words' },
    limit: { type: 'string', short: 'n', placeholder: 'N', help: `The number of tasks, at most ${LIMITS.page} [50]` },
    cursor: { type: 'string', placeholder: 'CURSOR', help: 'The next_cursor of the previous page' },
  },
  run: async ({ io, client, options, config }) => {
    const status = TaskStatus.optional().safeParse(options.status);
    if (!status.success)
      throw new UsageError(`--status ${String(options.status)} is not a task status`, `use one of ${TaskStatus.options.join(', ')}`);
    const given = { status: status.data, q: text(options, 'search'), limit: text(options, 'limit'), cursor: text(options, 'cursor') };
    const query = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const page = await client.listTasks({ query });
    if (config.json) io.out(JSON.stringify(page));
    else if (page.items.length === 0) io.out('no tasks; submit one: maw submit "GOAL"');
    else io.out(taskTable(io, page.items) + (page.next_cursor === null ? '' : `\n\nnext: maw list --cursor ${page.next_cursor}`));
    return EXIT.ok;
  },
};
