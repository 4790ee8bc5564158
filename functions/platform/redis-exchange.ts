import { setTimeout as pause } from 'node:timers/promises';
import { errors, type Requester } from '@upstash/redis';

type Request = Parameters<Requester['request']>[0];
type Response = Awaited<ReturnType<Requester['request']>>;
export type Send = (request: Request) => Promise<Response>;

/** Answers that fault the command, not the server; a server that is loading, full or over its limits says otherwise. */
const REFUSAL = /^(ERR (?!max )|WRONGTYPE |EXECABORT |NOSCRIPT )/;

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

/** Sends a request and judges the answer; throws when Redis is away. A refusal is an answer. */
export const exchange = async ({ request, send, timeoutMs, counted }: Exchange): Promise<Outcome> => {
  const commands = commandsOf(request);
  const asked = async () => {
    counted.round_trips++;
    counted.commands += commands.length;
    return judge(commands, await send(request));
  };
  try {
    return await inTime(timeoutMs, (isLate) => repeated(asked, isLate));
  } catch (error) {
    // An HTTP client throws refusals, with the command and all its values behind.
    const reason = (error as Error).message.split(', command was: ')[0] ?? '';
    if (!REFUSAL.test(reason)) throw error;
    return { refusals: [{ command: String(commands[0]?.[0]), reason }], thrown: new errors.UpstashError(reason) };
  }
};

const judge = (commands: unknown[][], response: Response): Outcome => {
  const refusals: Refused[] = [];
  for (const [at, { error: reason }] of [response].flat().entries()) {
    if (!reason) continue;
    if (!REFUSAL.test(reason)) throw new Error(reason);
    refusals.push({ command: String(commands[at]?.[0]), reason });
  }
  return { refusals, response };
};

/** A connection that was kept open may have died unseen: what failed is tried once more. */
const repeated = async <T>(work: () => Promise<T>, isLate: () => boolean): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (REFUSAL.test((error as Error).message)) throw error;
    await pause(10 + 30 * Math.random());
    if (isLate()) throw error;
    return work();
  }
};

const inTime = async <T>(ms: number, work: (isLate: () => boolean) => Promise<T>): Promise<T> => {
  let late = false;
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late = true;
    reject(new Error(`no answer within ${ms} ms`));
  }, ms);
  try {
    return await Promise.race([work(() => late), timeout]);
  } finally {
    clearTimeout(timer);
  }
};
