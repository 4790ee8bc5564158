import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startTcpProxy } from '../bench/support/tcp-proxy.ts';
import type { Services } from './services.ts';

export type Counts = { postgres_round_trips: number; redis_requests: number; redis_commands: number };

/** Puts a counter in front of each service; `url` returns the numbers of requests since the start. */
export const countServices = async (services: Services): Promise<Services & { url: string }> => {
  const database = new URL(services.databaseUrl);
  const postgres = await startTcpProxy({ host: database.hostname, port: Number(database.port) });
  database.port = String(postgres.port);
  const counts = (): Counts => {
    const { requests, commands } = services.redis.counted();
    return { postgres_round_trips: postgres.counted().roundTrips, redis_requests: requests, redis_commands: commands };
  };
  const server = createServer((_, response) => response.end(JSON.stringify(counts()))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...services,
    databaseUrl: database.href,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await postgres.close();
      await services.stop();
    },
  };
};
