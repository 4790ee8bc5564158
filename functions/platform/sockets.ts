import type { SocketOwner, Sockets } from '../domain/ports/sockets.ts';
import { hashOf } from './redis.ts';
import { keys, SOCKET_SECONDS } from './hints/redis-keys.ts';
import type { Pipeline, SendCommands } from './hints/send-commands.ts';

const OWNER = 'owner';
const parsed = (text: unknown): SocketOwner | null => (typeof text === 'string' ? (JSON.parse(text) as SocketOwner) : null);

const addTopics = (pipeline: Pipeline, connectionId: string, organizationId: string, topics: readonly string[]) => {
  if (topics.length === 0) return;
  for (const topic of topics) {
    pipeline.sadd(keys.topic(organizationId, topic), connectionId);
    pipeline.expire(keys.topic(organizationId, topic), SOCKET_SECONDS);
  }
  pipeline.hset(keys.connection(connectionId), Object.fromEntries(topics.map((topic) => [`topic:${topic}`, organizationId])));
};

const removeTopics = (pipeline: Pipeline, connectionId: string, organizationId: string, topics: readonly string[]) => {
  for (const topic of topics) {
    pipeline.srem(keys.topic(organizationId, topic), connectionId);
    pipeline.hdel(keys.connection(connectionId), `topic:${topic}`);
  }
};

/** Of concurrent requests, only the one whose DEL removes the ticket gets it. */
const takeTicket = async (send: SendCommands, hash: string): Promise<SocketOwner | null> => {
  const replies = await send((pipeline) => {
    pipeline.get(keys.ticket(hash));
    pipeline.del(keys.ticket(hash));
  });
  return replies?.[1] === 1 ? parsed(replies[0]) : null;
};

const remove = async (send: SendCommands, connectionId: string): Promise<boolean> => {
  const replies = await send((pipeline) => pipeline.hgetall(keys.connection(connectionId)));
  if (replies === null) return false;
  const known = Object.entries(hashOf(replies[0] ?? []) ?? {}).filter(([name]) => name.startsWith('topic:'));
  const removed = await send((pipeline) => {
    for (const [name, organizationId] of known) pipeline.srem(keys.topic(organizationId, name.slice('topic:'.length)), connectionId);
    pipeline.del(keys.connection(connectionId));
  });
  return removed !== null;
};

export const createSockets = (send: SendCommands): Sockets => ({
  keepTicket: async (hash, owner, seconds) =>
    (await send((pipeline) => pipeline.set(keys.ticket(hash), JSON.stringify(owner), { ex: seconds }))) !== null,
  takeTicket: (hash) => takeTicket(send, hash),
  add: async (connectionId, owner) => {
    const replies = await send((pipeline) => {
      pipeline.hset(keys.connection(connectionId), { [OWNER]: JSON.stringify(owner) });
      pipeline.expire(keys.connection(connectionId), SOCKET_SECONDS);
    });
    return replies !== null;
  },
  ownerOf: async (connectionId) => parsed((await send((pipeline) => pipeline.hget(keys.connection(connectionId), OWNER)))?.[0]),
  subscribe: async (connectionId, organizationId, topics) =>
    (await send((pipeline) => addTopics(pipeline, connectionId, organizationId, topics))) !== null,
  unsubscribe: async (connectionId, organizationId, topics) =>
    (await send((pipeline) => removeTopics(pipeline, connectionId, organizationId, topics))) !== null,
  subscribers: async (organizationId, topics) => {
    const replies = await send((pipeline) => {
      for (const topic of topics) pipeline.smembers(keys.topic(organizationId, topic));
    });
    return (replies ?? []) as string[][];
  },
  remove: (connectionId) => remove(send, connectionId),
});
