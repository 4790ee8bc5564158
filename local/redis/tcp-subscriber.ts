import type { Redis } from 'ioredis';
import type { Link, Listener } from './requester.ts';

type Kind = Parameters<Link['subscribe']>[0];

/** Subscriptions on their own connection, which is opened for the first one and restored after every reconnection. */
export const createTcpSubscriber = (connect: () => Redis) => {
  const listeners: Record<Kind, Map<string, Set<Listener>>> = { subscribe: new Map(), psubscribe: new Map() };
  let client: Redis | null = null;

  const notify = (kind: Kind, name: string, channel: string, message: string) => {
    for (const listener of listeners[kind].get(name) ?? []) listener(message, channel);
  };
  const open = () => {
    const opened = connect();
    opened.on('error', () => {}); // ioredis reconnects by itself
    opened.on('message', (channel: string, message: string) => notify('subscribe', channel, channel, message));
    opened.on('pmessage', (pattern: string, channel: string, message: string) => notify('psubscribe', pattern, channel, message));
    return opened;
  };
  const subscribe: Link['subscribe'] = async (kind, name, listener) => {
    client ??= open();
    const known = listeners[kind].get(name) ?? new Set();
    listeners[kind].set(name, known.add(listener));
    await client[kind](name);
    return () => {
      known.delete(listener);
      if (known.size > 0 || listeners[kind].get(name) !== known) return;
      listeners[kind].delete(name);
      client?.[`${kind === 'subscribe' ? '' : 'p'}unsubscribe`](name).catch(() => {});
    };
  };
  return { subscribe, close: async () => client?.disconnect() };
};
