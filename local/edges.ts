import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Log } from '../functions/domain/ports/log.ts';
import { createPush } from '../functions/platform/push.ts';
import { createQueues } from '../functions/platform/queues.ts';
import { createRedis } from '../functions/platform/redis.ts';
import type { Composed, Parts } from '../functions/platform/context.ts';
import { consume } from '../functions/queue/consume.ts';
import { socket } from '../functions/socket/socket.ts';
import { QUEUES } from '../schema/queue.ts';
import { createAwsKey, REGION } from './aws-key.ts';
import { type LocalQueues, startQueues } from './queues.ts';
import { createDirectQueues } from './queues/direct.ts';
import { openRedis } from './redis.ts';
import { createSocketGateway, type SocketGateway } from './socket-gateway.ts';

export type EdgeOptions = {
  env: Record<string, string | undefined>;
  folder: string;
  say: (line: string) => void;
  log: Log;
  redeliverSeconds?: number | undefined;
  redisPatienceMs?: number | undefined;
};
/** What an SQS client needs to write to the queues directly. */
export type QueueAccess = Pick<LocalQueues, 'endpoint' | 'region' | 'credentials' | 'urls' | 'deadUrls'>;
export type Edges = {
  /** Adapters for the backend's context. */
  parts: Required<Pick<Parts, 'redis' | 'queues' | 'push'>>;
  /** Starts delivery to the backend, and returns the handler of the HTTP gateway's upgrade requests. */
  deliver(ctx: Composed): SocketGateway;
  queues: QueueAccess;
  close(): Promise<void>;
};

/** A failed batch is retried soon: no dependency on this machine needs minutes to recover. */
const REDELIVER_SECONDS = 20;

/** `@connections` on its own server, which only listens on loopback. */
const listenForPosts = async (gateway: () => SocketGateway | null) => {
  const server = createServer((request, response) => {
    const serving = gateway()?.serve(request, response) ?? Promise.resolve(false);
    serving.then(
      (taken) => taken || response.writeHead(404).end(),
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}/ws`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
};

/** Redis, SQS and the WebSocket gateway of this machine. Messages that are due bypass SQS. */
export const openEdges = async (options: EdgeOptions): Promise<Edges> => {
  const { env, folder, say, log, redeliverSeconds = REDELIVER_SECONDS, redisPatienceMs: patienceMs } = options;
  const key = createAwsKey();
  const onError = (error: unknown) => log('error', 'edge.failed', { error });
  let gateway: SocketGateway | null = null;
  // That Redis held the subscriptions: clients subscribe again, or poll by HTTP while it is unavailable.
  const redis = await openRedis({ env, folder, say, patienceMs, onCut: () => gateway?.disconnectAll() });
  const queues = await startQueues({ key, onError });
  const posts = await listenForPosts(() => gateway);
  const client = createQueues({ ...queues, log });
  const direct = createDirectQueues({ queues: client, retrySeconds: redeliverSeconds, onError });
  const push = createPush({ endpoint: posts.endpoint, region: REGION, credentials: key });
  return {
    parts: { redis: createRedis(redis.at, { log, ...(patienceMs === undefined ? {} : { timeoutMs: patienceMs }) }), queues: direct, push },
    queues,
    deliver: (ctx) => {
      gateway = createSocketGateway({ key, handler: socket(ctx), onError });
      for (const queue of QUEUES) {
        const handler = consume(ctx, queue);
        direct.deliver(queue, handler);
        queues.poll(queue, handler, { visibilitySeconds: redeliverSeconds });
      }
      return gateway;
    },
    close: async () => {
      await gateway?.close();
      await direct.close();
      await queues.close();
      await posts.close();
      push.destroy();
      client.destroy();
      await redis.close();
    },
  };
};
