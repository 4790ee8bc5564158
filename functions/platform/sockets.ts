import type { SocketOwner, Sockets } from '../domain/ports/sockets.ts';
import { hashOf } from './redis.ts';
import { keys, SOCKET_SECONDS } from './hints/redis-keys.ts';
import type { Pipeline, Tell } from './hints/tell.ts';

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

export const createSockets = (tell: Tell): Sockets => ({
  keepTicket: async (hash, owner, seconds) =>
    (await tell((pipeline) => pipeline.set(keys.ticket(hash), JSON.stringify(owner), { ex: seconds }))) !== null,
  /** Whoever deletes it first has it. */
  takeTicket: async (hash) => {
    const told = await tell((pipeline) => {
      pipeline.get(keys.ticket(hash));
      pipeline.del(keys.ticket(hash));
    });
    return told?.[1] === 1 ? parsed(told[0]) : null;
  },
  add: async (connectionId, owner) => {
    const told = await tell((pipeline) => {
      pipeline.hset(keys.connection(connectionId), { [OWNER]: JSON.stringify(owner) });
      pipeline.expire(keys.connection(connectionId), SOCKET_SECONDS);
    });
    return told !== null;
  },
  ownerOf: async (connectionId) => parsed((await tell((pipeline) => pipeline.hget(keys.connection(connectionId), OWNER)))?.[0]),
  subscribe: async (connectionId, organizationId, topics) =>
    (await tell((pipeline) => addTopics(pipeline, connectionId, organizationId, topics))) !== null,
  unsubscribe: async (connectionId, organizationId, topics) => {
    const told = await tell((pipeline) => {
      for (const topic of topics) {
        pipeline.srem(keys.topic(organizationId, topic), connectionId);
        pipeline.hdel(keys.connection(connectionId), `topic:${topic}`);
      }
    });
    return told !== null;
  },
  subscribers: async (organizationId, topics) => {
    const told = await tell((pipeline) => {
      for (const topic of topics) pipeline.smembers(keys.topic(organizationId, topic));
    });
    return (told ?? []) as string[][];
  },
  remove: async (connectionId) => {
    const told = await tell((pipeline) => pipeline.hgetall(keys.connection(connectionId)));
    if (told === null) return false;
    const known = Object.entries(hashOf(told[0] ?? []) ?? {}).filter(([name]) => name.startsWith('topic:'));
    const removed = await tell((pipeline) => {
      for (const [name, organizationId] of known) pipeline.srem(keys.topic(organizationId, name.slice('topic:'.length)), connectionId);
      pipeline.del(keys.connection(connectionId));
    });
    return removed !== null;
  },
});
