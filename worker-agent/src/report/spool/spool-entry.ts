import { createHash } from 'node:crypto';
import * as z from 'zod';
import { Json, JsonObject } from '../../../../schema/json.ts';
import { LogChunkSpec } from '../../../../schema/log.ts';
import { FailureClass } from '../../../../schema/task.ts';

const Fence = { subtask_id: z.uuid(), lease_token: z.uuid(), attempt: z.int() };

/** What is stored while the platform does not answer, exactly as it will be sent: with the same fence, numbers and ids. */
export const SpoolEntry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('logs'), ...Fence, chunks: z.array(LogChunkSpec).min(1) }),
  z.object({ kind: z.literal('artifact'), ...Fence, name: z.string(), content_type: z.string() }),
  z.object({
    kind: z.literal('completed'),
    ...Fence,
    result: Json.optional(),
    result_artifact_id: z.uuid().optional(),
    usage: JsonObject.optional(),
  }),
  z.object({ kind: z.literal('failed'), ...Fence, failure_class: FailureClass, message: z.string(), usage: JsonObject.optional() }),
]);
export type SpoolEntry = z.output<typeof SpoolEntry>;

const HEAD = /^maw-spool 1 ([0-9a-f]{64})\n/;
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The file has a line with the hash of the rest, a line of JSON, and then the raw bytes. */
export const encodeEntry = (entry: SpoolEntry, bytes: Uint8Array = new Uint8Array()): Buffer => {
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(entry)}\n`), bytes]);
  return Buffer.concat([Buffer.from(`maw-spool 1 ${hashOf(body)}\n`), body]);
};

/** Throws when the file is incomplete or is not a spool file. */
export const decodeEntry = (file: Buffer): { entry: SpoolEntry; bytes: Buffer<ArrayBuffer> } => {
  const [head, hash] = HEAD.exec(file.subarray(0, 80).toString('latin1')) ?? [];
  if (head === undefined) throw new Error('it does not have the header of a spool file');
  const body = file.subarray(head.length);
  if (hashOf(body) !== hash) throw new Error('its content does not match its hash');
  const end = body.indexOf('\n');
  return { entry: SpoolEntry.parse(JSON.parse(body.subarray(0, end).toString())), bytes: Buffer.from(body.subarray(end + 1)) };
};
