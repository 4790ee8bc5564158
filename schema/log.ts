import { z } from 'zod';
import { Timestamp } from './common.ts';
import { LIMITS } from './json.ts';

export const LogStream = z.enum(['stdout', 'stderr', 'system']);

/** One numbered piece of what a tool printed. Numbers run 0, 1, 2 … within an attempt. */
export const LogChunkSpec = z.strictObject({
  chunk: z
    .int()
    .min(0)
    .max(LIMITS.log_chunks_per_attempt - 1),
  stream: LogStream,
  content: z.string().max(LIMITS.log_chunk_bytes),
});
export type LogChunkSpec = z.infer<typeof LogChunkSpec>;

export const LogChunk = z.object({ attempt: z.int(), chunk: z.int(), stream: LogStream, content: z.string(), created_at: Timestamp });
export type LogChunk = z.infer<typeof LogChunk>;
