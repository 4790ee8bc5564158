import { createHash } from 'node:crypto';
import type { Transfer } from '../../../schema/artifact.ts';
import type { Fenced, WorkerApi } from '../api/worker-api.ts';
import { cleanText } from './clean.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { type RetryOptions, StoreUnavailable } from '../api/retry.ts';
import type { JobContext } from '../attempt/job-context.ts';
import type { RunningJob } from '../attempt/running-job.ts';
import { sendOrKeep } from './spool/send-or-keep.ts';

type File = { name: string; content: string | Uint8Array; content_type?: string };
type ReadyFile = { name: string; content: Buffer<ArrayBuffer>; content_type: string };

const TRIES = 4;
const TRANSFER_MS = 600_000;

const move = async (api: WorkerApi, transfer: Transfer, body: Uint8Array<ArrayBuffer> | null, signal: AbortSignal): Promise<Response> => {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TRANSFER_MS)]);
  const url = new URL(transfer.url, api.url);
  return fetch(url, { method: transfer.method, headers: transfer.headers, body, signal: limit });
};

/** A deterministic artifact id: it is known before the server is asked, and the same for each file of this name in the same attempt. */
const idOf = ({ subtask_id, lease_token, attempt }: Fenced, name: string): string => {
  const bytes = createHash('sha256').update(`${subtask_id} ${lease_token} ${attempt} ${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};

const redacted = (redactor: Redactor, { name, content, content_type = 'application/octet-stream' }: File): ReadyFile => ({
  name: redactor.text(name),
  content_type,
  content: redactor.bytes(typeof content === 'string' ? Buffer.from(cleanText(content)) : content),
});

/** Uploads a file and lets the server check its bytes. Returns the artifact's id. After a failed transfer the artifact is created again. */
export const sendArtifact = async (
  api: WorkerApi,
  fence: Fenced,
  { name, content, content_type }: ReadyFile,
  retry: RetryOptions & { signal: AbortSignal },
): Promise<string> => {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const spec = { name, content_type, size_bytes: content.length, sha256, artifact_id: idOf(fence, name) };
  for (let tries = 1; ; tries++) {
    const { artifact_id, upload } = await api.createArtifact(fence, spec, retry);
    const failed = upload === null ? null : await put(api, upload, content, retry.signal);
    if (failed === null) {
      await api.storeArtifact(fence, artifact_id, retry);
      return artifact_id;
    }
    if (tries >= TRIES || retry.signal.aborted) throw new StoreUnavailable(`The file ${name} could not be stored: ${failed}`);
  }
};

/** Attaches a file to an attempt, now or when the platform answers again. Returns the artifact's id. */
export const attachArtifact = (ctx: JobContext, job: RunningJob, given: File): Promise<string> => {
  const file = redacted(ctx.redactor, given);
  const { content, ...named } = file;
  return sendOrKeep(ctx, job, {
    send: (retry) => sendArtifact(ctx.api, job.fence, file, retry),
    keep: async () => {
      await ctx.spool.put({ kind: 'artifact', ...job.fence, ...named }, content);
      return idOf(job.fence, file.name);
    },
  });
};

const put = async (api: WorkerApi, upload: Transfer, bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<string | null> => {
  try {
    const response = await move(api, upload, bytes, signal);
    await response.body?.cancel();
    return response.ok ? null : `the blob store answered ${response.status}`;
  } catch (error) {
    return (error as Error).message;
  }
};

/** Downloads a file. If the store sends a digest, it is checked. */
export const download = async (api: WorkerApi, transfer: Transfer, signal: AbortSignal): Promise<Buffer> => {
  for (let tries = 1; ; tries++) {
    try {
      const response = await move(api, transfer, null, signal);
      if (!response.ok) throw new Error(`the blob store answered ${response.status}`);
      const bytes = Buffer.from(await response.arrayBuffer());
      checkDigest(bytes, response.headers);
      return bytes;
    } catch (error) {
      if (tries >= TRIES || signal.aborted) throw error;
    }
  }
};

const checkDigest = (bytes: Buffer, headers: Headers): void => {
  const [, digest] = /sha-256=:([\w+/=]+):/.exec(headers.get('repr-digest') ?? headers.get('content-digest') ?? '') ?? [];
  const expected = headers.get('x-amz-checksum-sha256') ?? digest;
  if (expected !== undefined && createHash('sha256').update(bytes).digest('base64') !== expected)
    throw new Error('the downloaded bytes do not match their hash');
};
