import { ApiError, type Client } from '../../../schema/client.ts';
import type { Command } from '../command.ts';
import { PidFile } from '../pid-file.ts';
import { EXIT } from '../terminal/errors.ts';
import { table } from '../terminal/text.ts';
import { ageOf } from './show.ts';
import { stateFileOf } from './worker-setup.ts';

const onServer = async (client: Client, workerId: string | undefined, hasKey: boolean) => {
  if (workerId === undefined) return { known: false as const, reason: 'it is not enrolled' };
  if (!hasKey) return { known: false as const, reason: 'set --api-key to ask the platform' };
  try {
    return { known: true as const, worker: await client.getWorker({ params: { worker_id: workerId } }) };
  } catch (error) {
    if (error instanceof ApiError) return { known: false as const, reason: error.message };
    throw error;
  }
};

export const workerStatus: Command = {
  name: 'worker status',
  args: '',
  summary: 'Show what this machine and the platform know of the worker',
  details: 'The exit code is 0 when a process runs it, else 1.',
  minArgs: 0,
  maxArgs: 0,
  settings: ['url', 'api_key', 'name', 'state_dir', 'timeout_ms', 'json'],
  options: {},
  run: async ({ config, client, io }) => {
    const file = stateFileOf(config);
    const state = await file.read();
    const pid = await new PidFile(file.path).running();
    const server = await onServer(client, state?.worker_id, config.api_key !== undefined);
    const said = server.known
      ? `${server.worker.status}, ${server.worker.mode}, ${server.worker.running}/${server.worker.slots} slots, seen ${ageOf(server.worker.last_seen_at)} ago`
      : `unknown: ${server.reason}`;
    const enrolled = state?.worker_id ?? 'no: make a token with maw enrol --tools …';
    const rows = [
      ['worker', config.name],
      ['platform', config.url],
      ['state file', file.path],
      ['enrolled', enrolled],
      ['process', pid === null ? 'none runs' : String(pid)],
      ['platform says', said],
    ];
    const { known: _, ...platform } = server;
    io.out(
      config.json
        ? JSON.stringify({ name: config.name, url: config.url, state_file: file.path, worker_id: state?.worker_id ?? null, pid, platform })
        : table(['', ''], rows).replace(/^\n/, ''),
    );
    return pid === null ? EXIT.failed : EXIT.ok;
  },
};
