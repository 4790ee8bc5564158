import * as z from 'zod';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const isJson = (value: unknown): boolean => {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'object' && (Array.isArray(value) ? value : Object.values(value)).every(isJson);
};

/** Any JSON value. Depth, text and size are checked once for the whole body (see functions/http/body.ts). */
export const Json: z.ZodType<Json> = z.custom<Json>(isJson, 'must be a JSON value');
export const JsonObject: z.ZodType<{ [key: string]: Json }> = z.record(z.string(), Json);

export const LIMITS = {
  goal_characters: 32_000,
  metadata_bytes: 16_384,
  input_bytes: 65_536,
  schema_bytes: 16_384,
  verify_bytes: 8_192,
  result_bytes: 262_144,
  subtasks_per_task: 1_000,
  edges_per_task: 5_000,
  artifact_bytes: 1_073_741_824,
  log_chunk_bytes: 65_536,
  log_chunks_per_request: 64,
  log_chunks_per_attempt: 10_000,
  request_bytes: 6_291_456,
  batch: 50,
  page: 200,
  /** The page size of subtasks and events, which are small. */
  long_page: 1_000,
  slots: 64,
  name_characters: 120,
  file_name_characters: 200,
  media_type_characters: 120,
  /** The message of a failure. */
  message_characters: 4_000,
  /** The message of a progress report, and the reason of a cancel or a release. */
  reason_characters: 500,
  json_depth: 32,
} as const;

const encoder = new TextEncoder();

export const textBytes = (text: string): number => encoder.encode(text).length;

/** The size of a value in bytes, as JSON in UTF-8. */
export const jsonBytes = (value: unknown): number => textBytes(JSON.stringify(value) ?? '');

/** Refuses a value whose JSON is larger than `bytes`. */
export const atMostBytes = <T extends z.ZodType>(schema: T, bytes: number): T =>
  schema.refine((value) => jsonBytes(value) <= bytes, `must be at most ${bytes} bytes as JSON`);
