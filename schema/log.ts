import * as z from 'zod';
import { Timestamp } from './common.ts';
import { LIMITS, textBytes } from './json.ts';

export const LogStream = z.enum(['stdout', 'stderr', 'system']);

/** A numbered chunk of what a tool printed. The numbers are 0, 1, 2 … within an attempt. */
export const LogChunkSpec = z
  .object({
    chunk: z
      .int()
      .min(0)
      .max(LIMITS.log_chunks_per_attempt - 1),
    stream: LogStream,
    content: z
      .string()
      .max(LIMITS.log_chunk_bytes)
      .refine((text) => textBytes(text) <= LIMITS.log_chunk_bytes, `must be at most ${LIMITS.log_chunk_bytes} bytes in UTF-8`),
  })
  .meta({ id: 'LogChunkSpec' });
export type LogChunkSpec = z.infer<typeof LogChunkSpec>;

export const LogChunk = z
  .object({ attempt: z.int(), chunk: z.int(), stream: LogStream, content: z.string(), created_at: Timestamp })
  .meta({ id: 'LogChunk' });
export type LogChunk = z.infer<typeof LogChunk>;
