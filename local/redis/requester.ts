import type { Requester } from '../../functions/platform/redis.ts';

export type Listener = (message: string, channel: string) => void;
/** The reply to one command, in the form of Upstash's REST API. */
export type RedisReply = { result: unknown } | { error: string };
/** A connection to a Redis. Rejects if it is unreachable or if it refuses a whole transaction. */
export type Link = {
  pipeline(commands: string[][]): Promise<RedisReply[]>;
  multi(commands: string[][]): Promise<RedisReply[]>;
  /** Subscribes to a channel, or to all channels that match a pattern. Returns the function that unsubscribes. */
  subscribe(kind: 'subscribe' | 'psubscribe', name: string, listener: Listener): Promise<() => void>;
  close(): Promise<void>;
};
export type LinkedRequester = Requester & Pick<Link, 'subscribe' | 'close'>;
type Request = Parameters<Requester['request']>[0];

/** The value as JSON would carry it, as text; JSON has no undefined. */
const textOf = (argument: unknown): string => {
  const text = typeof argument === 'string' ? argument : JSON.stringify(argument);
  if (text === undefined) throw new Error('ERR an argument is missing (undefined)');
  return text;
};
const textsOf = (command: unknown): string[] => (command as unknown[]).map(textOf);

/** Sends the requests of the Upstash client over a link instead of HTTP. */
export const createRequester = (link: Link): LinkedRequester => {
  /** In the form of the REST API's event stream. */
  const stream = async (kind: 'subscribe' | 'psubscribe', name: string, { onMessage, signal }: Request) => {
    const prefix = kind === 'subscribe' ? 'message' : `pmessage,${name}`;
    const end = await link.subscribe(kind, name, (message, channel) => onMessage?.(`${prefix},${channel},${message}`));
    if (signal?.aborted) end();
    else signal?.addEventListener('abort', end, { once: true });
    onMessage?.(`${kind},${name},1`);
    return { result: 1 };
  };
  const answer = async (request: Request): Promise<unknown> => {
    const [route, name = ''] = request.path ?? [];
    if (route === 'subscribe' || route === 'psubscribe') return stream(route, name, request);
    if (route === 'pipeline') return link.pipeline((request.body as unknown[]).map(textsOf));
    if (route === 'multi-exec') return link.multi((request.body as unknown[]).map(textsOf));
    if (route !== undefined) throw new Error(`ERR ${route} is not supported by this Redis`);
    const [first] = await link.pipeline([textsOf(request.body)]);
    return first;
  };
  return {
    request: answer as Requester['request'],
    subscribe: (...args) => link.subscribe(...args),
    close: () => link.close(),
  };
};
