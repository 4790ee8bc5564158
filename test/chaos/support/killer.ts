import type { SQSEvent } from 'aws-lambda';
import type { Context } from '../../../functions/domain/context.ts';
import type { QueueName } from '../../../schema/queue.ts';
import type { Queues } from '../../../functions/domain/ports/queues.ts';
import { consume } from '../../../functions/queue/consume.ts';
import type { Handler } from '../../../local/lambda.ts';
import type { Random } from '../../support/random.ts';
import { die, isMortal, mortal } from './mortal.ts';

/** Fewer than the five receives after which SQS moves a message to the dead-letter queue. */
const MOST_DEATHS = 2;
const LIKELY = 0.5;
const PLACES = ['before the effect', 'during the effect', 'before the acknowledgement'] as const;

/** Kills senders before they send a committed message, and handlers before or during the message's effect or before they acknowledge it. */
export const createKiller = (random: Random) => {
  const deaths = { 'before sending': 0, 'before the effect': 0, 'during the effect': 0, 'before the acknowledgement': 0 };
  const killed = new Map<string, number>();

  const chosen = ({ Records }: SQSEvent) => {
    if (random() > LIKELY || Records.some(({ messageId }) => (killed.get(messageId) ?? 0) >= MOST_DEATHS)) return null;
    for (const { messageId } of Records) killed.set(messageId, (killed.get(messageId) ?? 0) + 1);
    return PLACES[Math.floor(random() * PLACES.length)] ?? null;
  };
  const dieAt = (place: keyof typeof deaths): Promise<never> => {
    deaths[place]++;
    return die();
  };
  const dying = (ctx: Context): Context => {
    const end = () => dieAt('during the effect');
    return { ...ctx, hints: { ...ctx.hints, place: end, follow: end, recordWorker: end } };
  };
  return {
    deaths,
    send:
      (next: Queues['send']): Queues['send'] =>
      async (...args) => {
        if (random() < LIKELY && isMortal()) return dieAt('before sending');
        return next(...args);
      },
    handle: (ctx: Context, queue: QueueName): Handler<SQSEvent> => {
      const whole = consume(ctx, queue);
      const half = consume(dying(ctx), queue);
      return async (event) => {
        const place = chosen(event);
        return mortal(async () => {
          if (place === 'before the effect') return dieAt(place);
          const result = await (place === 'during the effect' ? half : whole)(event);
          return place === 'before the acknowledgement' ? dieAt(place) : result;
        });
      };
    },
  };
};
