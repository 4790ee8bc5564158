import { createHash } from 'node:crypto';
import type { Transfer } from '../../schema/artifact.ts';
import type { Fenced, WorkerApi } from './api.ts';
import { cleanText } from './clean.ts';
import type { Redactor } from './redaction/redactor.ts';
import type { RetryOptions } from './retry.ts';
import { AgentFailure } from './tools/adapter.ts';

export type File = { name: string; content: string | Uint8Array; content_type?: string };

const TRIES = 4;
const TRANSFER_MS = 600_000;

const move = async (api: WorkerApi, transfer: Transfer, body: Uint8Array<ArrayBuffer> | null, signal: AbortSignal): Promise<Response> => {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TRANSFER_MS)]);
  const url = new URL(transfer.url, api.url);
  return fetch(url, { method: transfer.method, headers: transfer.headers, body, signal: limit });
};

export const redactedFile = (redactor: Redactor, { name, content, ...rest }: File): File => ({
  ...rest,
  name: redactor.text(name),
  content: redactor.bytes(typeof content === 'string' ? Buffer.from(cleanText(content)) : content),
});

/** Sends a file's bytes and has them checked by the server; answers the artifact's id. A failed transfer is announced anew. */
export const uploadArtifact = async (
  api: WorkerApi,
  fence: Fenced,
  file: File,
  retry: RetryOptions & { signal: AbortSignal },
): Promise<string> => {
  const bytes = Buffer.from(typeof file.content === 'string' ? Buffer.from(cleanText(file.content), 'utf8') : file.content);
  const spec = {
    name: file.name,
    content_type: file.content_type ?? 'application/octet-stream',
    size_bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  for (let tries = 1; ; tries++) {
    const { artifact_id, upload } = await api.createArtifact(fence, spec, retry);
    if (upload !== null) await retry.before?.();
    const failed = upload === null ? null : await put(api, upload, bytes, retry.signal);
    if (failed === null) {
      await api.storeArtifact(fence, artifact_id, retry);
      return artifact_id;
    }
    if (tries >= TRIES || retry.signal.aborted)
      throw new AgentFailure('tool_error', `The file ${file.name} could not be stored: ${failed}`);
  }
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

/** Fetches a file's bytes; a digest that the store tells with them is checked. */
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
  const [, told] = /sha-256=:([\w+/=]+):/.exec(headers.get('repr-digest') ?? headers.get('content-digest') ?? '') ?? [];
  const expected = headers.get('x-amz-checksum-sha256') ?? told;
  if (expected !== undefined && createHash('sha256').update(bytes).digest('base64') !== expected)
    throw new Error('the bytes that came differ from their hash');
};
