import { createChannels } from './memory/channels.ts';
import type { RedisCommand, Commands } from './memory/command.ts';
import { Refusal } from './memory/refusal.ts';
import { matcher } from './memory/glob.ts';
import { HASHES } from './memory/hashes.ts';
import { KEYS } from './memory/keys.ts';
import { SETS } from './memory/sets.ts';
import { SORTED_SETS } from './memory/sorted-sets.ts';
import { createStore } from './memory/store.ts';
import { STRINGS } from './memory/strings.ts';
import { type RedisReply, createRequester, type Link, type LinkedRequester } from './requester.ts';

const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';

/**
 * A Redis in this process that has only the commands which this system uses. Each replies as a real Redis does, in the form of
 * Upstash's REST API. A request is executed at once and as a whole, including pipelines.
 */
export const createMemoryRedis = (now: () => number = () => Math.floor(performance.now())): LinkedRequester => {
  const store = createStore(now);
  const channels = createChannels();
  const commands = new Map<string, RedisCommand>(
    Object.entries<RedisCommand>({
      ...KEYS,
      ...STRINGS,
      ...HASHES,
      ...SETS,
      ...SORTED_SETS,
      publish: { least: 2, most: 2, run: (_store, [channel = '', message = '']) => channels.publish(channel, message) },
    } satisfies Commands),
  );
  /** The command, if it can be queued. */
  const find = (name: string, args: string[]): RedisCommand => {
    const command = commands.get(name.toLowerCase());
    if (command === undefined) throw new Refusal(`ERR unknown command '${name}', with args beginning with: `);
    if (args.length < command.least || args.length > (command.most ?? Number.POSITIVE_INFINITY))
      throw new Refusal(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
    return command;
  };
  const run = ([name = '', ...args]: string[]): RedisReply => {
    store.sweep();
    return refusable(() => ({ result: find(name, args).run(store, args) }));
  };
  const link: Link = {
    pipeline: async (batch) => batch.map(run),
    multi: async (batch) => {
      const queued = batch.map(([name = '', ...args]) => refusable(() => ({ result: find(name, args) })));
      if (queued.some((it) => 'error' in it)) throw new Error(ABORTED);
      return batch.map(run);
    },
    subscribe: async (kind, name, listener) => channels.add(kind === 'subscribe' ? (it) => it === name : matcher(name), listener),
    close: async () => channels.clear(),
  };
  return createRequester(link);
};

const refusable = (work: () => RedisReply): RedisReply => {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return { error: error.message };
    throw error;
  }
};
