import { setTimeout as pause } from 'node:timers/promises';
import { errors, type Requester } from '@upstash/redis';
import { type Backoff, backoffMs } from '../../schema/client/backoff.ts';
import { withTimeout } from '../../schema/client/with-timeout.ts';

type Request = Parameters<Requester['request']>[0];
type Response = Awaited<ReturnType<Requester['request']>>;
export type Send = (request: Request) => Promise<Response>;

/** Errors that the command caused. A server that is loading, full or over its limits returns other errors. */
const REFUSAL = /^(ERR (?!max )|WRONGTYPE |EXECABORT |NOSCRIPT )/;

/** 10 to 40 ms. */
const BACKOFF: Backoff = { baseMs: 25, maxMs: 25, jitter: [0.4, 1.6] };

export type Exchange = {
  request: Request;
  send: Send;
  timeoutMs: number;
  counted: { round_trips: number; commands: number };
};
type Refused = { command: string; reason: string };
type Outcome = { refusals: Refused[] } & ({ response: Response } | { thrown: Error });

const isBatch = ({ path }: Request) => path?.[0] === 'pipeline' || path?.[0] === 'multi-exec';
const commandsOf = (request: Request) => (isBatch(request) ? (request.body as unknown[][]) : [request.body as unknown[]]);

/** Sends a request and checks the reply; throws if Redis is unavailable. A refusal is a reply. */
export const exchange = async ({ request, send, timeoutMs, counted }: Exchange): Promise<Outcome> => {
  const commands = commandsOf(request);
  const asked = async () => {
    counted.round_trips++;
    counted.commands += commands.length;
    return check(commands, await send(request));
  };
  try {
    return await withTimeout(timeoutMs, (signal) => withRetry(asked, signal));
  } catch (error) {
    // An HTTP client throws refusals, with the command and all its values after the message.
    const reason = (error as Error).message.split(', command was: ')[0] ?? '';
    if (!REFUSAL.test(reason)) throw error;
    return { refusals: [{ command: String(commands[0]?.[0]), reason }], thrown: new errors.UpstashError(reason) };
  }
};

const check = (commands: unknown[][], response: Response): Outcome => {
  const refusals: Refused[] = [];
  for (const [at, { error: reason }] of [response].flat().entries()) {
    if (!reason) continue;
    if (!REFUSAL.test(reason)) throw new Error(reason);
    refusals.push({ command: String(commands[at]?.[0]), reason });
  }
  return { refusals, response };
};

/** A connection that was kept alive may have been lost unnoticed, so a failed request is repeated once. */
const withRetry = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (REFUSAL.test((error as Error).message)) throw error;
    await pause(backoffMs(1, BACKOFF));
    if (signal.aborted) throw error;
    return work();
  }
};
