import * as z from 'zod';
import { ApiError, type Client } from '../../../../schema/client/client.ts';
import type { Command } from '../command.ts';
import { PidFile } from '../../agent/pid-file.ts';
import { EXIT } from '../../terminal/command-error.ts';
import { table } from '../../terminal/text.ts';
import { ageOf } from '../show.ts';
import { stateFileOf } from '../worker-setup.ts';

const onServer = async (client: Client, workerId: string | undefined, hasKey: boolean) => {
  if (workerId === undefined) return { known: false as const, reason: 'the worker is not enrolled' };
  if (!hasKey) return { known: false as const, reason: 'set --api-key to ask the platform' };
  try {
    return { known: true as const, worker: await client.getWorker({ params: { worker_id: workerId } }) };
  } catch (error) {
    if (error instanceof ApiError) return { known: false as const, reason: error.message };
    throw error;
  }
};

const Readiness = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });
type Readiness = z.output<typeof Readiness>;
const TIMEOUT_MS = 2_000;

/** The readiness that the process reports; null if it was started without a health port. */
const readinessOf = async (port: number): Promise<Readiness | null> => {
  if (port === 0) return null;
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return Readiness.parse(await response.json());
  } catch (error) {
    return { ready: false, reasons: [`the worker does not respond on port ${port}: ${(error as Error).message}`] };
  }
};

const readyText = (it: Readiness | null): string => {
  if (it === null) return 'unknown: the worker was started without --health-port';
  return it.ready ? 'yes' : `no: ${it.reasons.join('; ')}`;
};

export const workerStatus: Command = {
  name: 'worker status',
  args: '',
  summary: 'Show the status of the worker on this machine and on the platform',
  details: 'The exit code is 0 if the worker is running, otherwise 1.',
  minArgs: 0,
  maxArgs: 0,
  settings: ['url', 'api_key', 'name', 'state_dir', 'timeout_ms', 'json'],
  options: {},
  run: async ({ config, client, io }) => {
    const file = stateFileOf(config);
    const state = await file.read();
    const owner = await new PidFile(file.path).owner();
    const pid = owner?.pid ?? null;
    const readiness = await readinessOf(owner?.health_port ?? 0);
    const server = await onServer(client, state?.worker_id, config.api_key !== undefined);
    const onPlatform = server.known
      ? `${server.worker.status}, ${server.worker.mode}, ${server.worker.running}/${server.worker.slots} slots, seen ${ageOf(server.worker.last_seen_at)} ago`
      : `unknown: ${server.reason}`;
    const enrolled = state?.worker_id ?? 'no: create a token with maw enrol --tools …';
    const rows = [
      ['worker', config.name],
      ['platform', config.url],
      ['state file', file.path],
      ['enrolled', enrolled],
      ['process', pid === null ? 'not running' : String(pid)],
      ...(pid === null ? [] : [['ready', readyText(readiness)]]),
      ['on the platform', onPlatform],
    ];
    const { known: _, ...platform } = server;
    io.out(
      config.json
        ? JSON.stringify({
            name: config.name,
            url: config.url,
            state_file: file.path,
            worker_id: state?.worker_id ?? null,
            pid,
            readiness,
            platform,
          })
        : table(['', ''], rows).replace(/^\n/, ''),
    );
    return pid === null ? EXIT.failed : EXIT.ok;
  },
};
