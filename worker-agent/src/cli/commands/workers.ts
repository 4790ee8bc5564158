import { LIMITS } from '../../../../schema/json.ts';
import { CLIENT_SETTINGS, type Command } from '../command.ts';
import { EXIT } from '../../terminal/command-error.ts';
import { paintStatus } from '../../terminal/io.ts';
import { oneLine, table } from '../../terminal/text.ts';
import { ageOf } from '../show.ts';

export const workers: Command = {
  name: 'workers',
  args: '',
  summary: 'List workers, newest first',
  minArgs: 0,
  maxArgs: 0,
  settings: CLIENT_SETTINGS,
  options: {},
  run: async ({ io, client, config }) => {
    const page = await client.listWorkers({ query: { limit: LIMITS.page } });
    if (config.json) io.out(JSON.stringify(page));
    else if (page.items.length === 0) io.out('no workers; enrol one: maw enrol --tools scripted');
    else {
      const rows = page.items.map((it) => [
        oneLine(it.name),
        paintStatus(io, it.status),
        it.mode,
        `${it.running}/${it.slots}`,
        it.tools.join(','),
        Object.entries(it.labels)
          .map((pair) => pair.join('='))
          .join(','),
        `${ageOf(it.last_seen_at)} ago`,
        it.worker_id,
      ]);
      io.out(table(['NAME', 'STATUS', 'MODE', 'SLOTS', 'TOOLS', 'LABELS', 'SEEN', 'WORKER'], rows));
    }
    return EXIT.ok;
  },
};
