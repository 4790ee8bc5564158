import { AppError } from '../../../schema/errors.ts';
import type { DeadLetter } from '../../../schema/dead-letter.ts';
import { MessageHead } from '../../../schema/message.ts';
import type { Context } from '../context.ts';
import type { Caller } from '../principal.ts';
import type { QueueName } from '../../../schema/queue.ts';
import type { StoredDeadLetter, Queues } from '../ports/queues.ts';

const MOST = 100;
const CHARACTERS = 4_000;

type Letters = Pick<Context, 'queues' | 'log'>;

const reading = async <T>({ queues, log }: Letters, work: (queues: Queues) => Promise<T>): Promise<T> => {
  if (queues === null) throw new AppError('unavailable', 'This deployment has no queues, so there are no dead letters');
  try {
    return await work(queues);
  } catch (error) {
    log('warn', 'queue.unavailable', { error });
    throw new AppError('unavailable', 'The queue is not responding; retry the request shortly', { cause: error });
  }
};

const headOf = (body: string): MessageHead => {
  try {
    return MessageHead.parse(Object(JSON.parse(body)));
  } catch {
    return { topic: null, organization_id: undefined };
  }
};

/** A message of another organization is not shown. A message that names no organization is shown to everybody. */
const shown = (caller: Caller, { body, ...letter }: StoredDeadLetter): DeadLetter[] => {
  const { organization_id = caller.organization_id, topic } = headOf(body);
  if (organization_id !== caller.organization_id) return [];
  return [{ ...letter, topic, body: body.slice(0, CHARACTERS).toWellFormed() }];
};

export const list = async (ctx: Letters, caller: Caller, queue: QueueName) => {
  const { letters, total } = await reading(ctx, (queues) => queues.listDead(queue, MOST));
  return { items: letters.flatMap((letter) => shown(caller, letter)), total };
};

export const redrive = async (ctx: Letters, queue: QueueName) => ({ moved: await reading(ctx, (queues) => queues.redrive(queue)) });
