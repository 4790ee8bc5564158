import * as z from 'zod';
import { Timestamp } from './common.ts';

/** A message that was given up. */
export const DeadLetter = z
  .object({
    message_id: z.string(),
    reason: z.string().nullable().describe('Why it was given up; null when the queue itself moved it aside'),
    topic: z.string().nullable().describe('What it was about; null when it can not be read'),
    body: z.string().describe('The message, at most its first 4,000 characters'),
    receive_count: z.int(),
    sent_at: Timestamp,
  })
  .meta({ id: 'DeadLetter' });
export type DeadLetter = z.infer<typeof DeadLetter>;
