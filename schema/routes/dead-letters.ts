import * as z from 'zod';
import { DeadLetter } from '../dead-letter.ts';
import { QueueName } from '../queue.ts';
import { route } from '../route.ts';

export const listDeadLetters = route({
  name: 'listDeadLetters',
  method: 'GET',
  path: '/api/v1/dead-letters',
  access: 'workers:write',
  tag: 'system',
  summary: 'List messages that were given up, at most 100',
  query: z.strictObject({ queue: QueueName }),
  output: z.object({ items: z.array(DeadLetter), total: z.int().describe('As the queue estimates it, of all organizations') }),
  status: 200,
  errors: ['unavailable'],
});

export const redriveDeadLetters = route({
  name: 'redriveDeadLetters',
  method: 'POST',
  path: '/api/v1/dead-letters/redrive',
  access: 'workers:write',
  tag: 'system',
  summary: 'Try again what was given up, when the cause is gone',
  body: z.strictObject({ queue: QueueName }),
  output: z.object({ moved: z.int().nullable().describe('null: it goes on in the background') }),
  status: 200,
  errors: ['unavailable'],
  fleeting: true,
});
