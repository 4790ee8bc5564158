import * as z from 'zod';
import { Timestamp } from './common.ts';

/** A message that could not be processed. */
export const DeadLetter = z
  .object({
    message_id: z.string(),
    reason: z.string().nullable().describe('Why it could not be processed; null if the queue moved it after too many deliveries'),
    topic: z.string().nullable().describe('The topic of the message; null if it cannot be read'),
    body: z.string().describe('The message, cut to its first 4,000 characters'),
    receive_count: z.int(),
    sent_at: Timestamp,
  })
  .meta({ id: 'DeadLetter' });
export type DeadLetter = z.infer<typeof DeadLetter>;
