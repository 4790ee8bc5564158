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
  summary: 'List up to 100 dead letters: messages that could not be processed',
  query: z.strictObject({ queue: QueueName }),
  output: z.object({
    items: z.array(DeadLetter),
    total: z.int().describe('The estimated number of dead letters in the queue, over all organizations'),
  }),
  status: 200,
  errors: ['unavailable'],
});

export const redriveDeadLetters = route({
  name: 'redriveDeadLetters',
  method: 'POST',
  path: '/api/v1/dead-letters/redrive',
  access: 'workers:write',
  tag: 'system',
  summary: 'Move dead letters back to their queue, once the cause of their failure is fixed',
  body: z.strictObject({ queue: QueueName }),
  output: z.object({ moved: z.int().nullable().describe('The number of moved messages; null if the move continues in the background') }),
  status: 200,
  errors: ['unavailable'],
  fleeting: true,
});
