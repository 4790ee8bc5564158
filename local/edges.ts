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
/** What a client of SQS needs to write to the queues itself. */
export type QueueAccess = Pick<LocalQueues, 'endpoint' | 'region' | 'credentials' | 'urls' | 'deadUrls'>;
export type Edges = {
  /** What the backend gets of them. */
  parts: Required<Pick<Parts, 'redis' | 'queues' | 'push'>>;
  /** Begins to deliver to the backend; answers what takes the upgrades of the HTTP gateway. */
  deliver(ctx: Composed): SocketGateway;
  queues: QueueAccess;
  close(): Promise<void>;
};

/** A batch that failed is tried again soon: nothing on this machine needs minutes to come back. */
const REDELIVER_SECONDS = 20;

/** `@connections` on a server of its own, which never listens on anything but loopback. */
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

/** Redis, SQS and the WebSocket gateway as this machine has them; a message that is due spares SQS. */
export const openEdges = async (options: EdgeOptions): Promise<Edges> => {
  const { env, folder, say, log, redeliverSeconds = REDELIVER_SECONDS, redisPatienceMs: patienceMs } = options;
  const key = createAwsKey();
  const onError = (error: unknown) => log('error', 'edge.failed', { error });
  let gateway: SocketGateway | null = null;
  // Who is subscribed stood in that Redis: clients come again, or ask by HTTP while there is none.
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
