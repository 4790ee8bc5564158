import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { attachmentOf, BLOB_LIFE_MS, type BlobStore, checkBlobKey, isBlobKey } from '../functions/domain/ports/blobs.ts';
import { sendProblem } from './gateway/respond.ts';

export type LocalBlobs = BlobStore & {
  /** Serves requests to URLs that this store signed. Returns false for any other request. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
};

type SignerOptions = { publicUrl: () => string; secret: string };

/** Signs URLs and verifies them. */
const createSigner = ({ publicUrl, secret }: SignerOptions) => {
  const sign = (text: string) => createHmac('sha256', secret).update(`blobs\n${text}`).digest('base64url');
  const signed = (method: 'GET' | 'PUT', key: string, claims: Record<string, string>) => {
    checkBlobKey(key);
    const expires = Date.now() + BLOB_LIFE_MS;
    const query = new URLSearchParams({ ...claims, expires: String(expires) });
    query.set('signature', sign(`${method}\n${key}\n${query}`));
    return { method, url: `${publicUrl()}/blobs/${key}?${query}`, headers: {}, expires_at: new Date(expires).toISOString() };
  };
  const isSigned = (method: string, key: string, query: URLSearchParams) => {
    const given = Buffer.from(query.get('signature') ?? '');
    query.delete('signature');
    const wanted = Buffer.from(sign(`${method}\n${key}\n${query}`));
    return given.length === wanted.length && timingSafeEqual(given, wanted) && Number(query.get('expires')) > Date.now();
  };
  return { signed, isSigned };
};

/**
 * A blob store in a folder. A signed URL states what it permits: the method, the key, the announced size and hash, and an expiry time.
 * A file appears under its key only after all its bytes have arrived and match what was announced.
 */
export const createLocalBlobs = ({ folder, ...options }: SignerOptions & { folder: string }): LocalBlobs => {
  const { signed, isSigned } = createSigner(options);
  const pathOf = (key: string) => {
    checkBlobKey(key);
    return join(folder, key.slice(0, 2), key);
  };
  return {
    upload: async (key, { size_bytes, sha256, content_type }) => ({
      ...signed('PUT', key, { size: String(size_bytes), sha256 }),
      headers: { 'content-type': content_type },
    }),
    download: async (key, { name, content_type }) => signed('GET', key, { name, type: content_type }),
    stat: async (key) => {
      const path = pathOf(key);
      const found = await Promise.all([stat(path), readFile(`${path}.sha256`, 'utf8')]).catch(() => null);
      return found === null ? null : { size_bytes: found[0].size, sha256: found[1] };
    },
    remove: async (key) => {
      await rm(pathOf(key), { force: true });
      await rm(`${pathOf(key)}.sha256`, { force: true });
    },
    serve: async (request, response) => {
      const url = new URL(request.url ?? '/', 'http://blobs');
      if (!url.pathname.startsWith('/blobs/')) return false;
      const key = url.pathname.slice('/blobs/'.length);
      const method = request.method ?? '';
      if (!isBlobKey(key) || !['GET', 'PUT'].includes(method) || !isSigned(method, key, url.searchParams)) {
        sendProblem(response, 403, 'forbidden', 'The signature of the URL is invalid or has expired; request a new upload or download URL');
        request.resume();
      } else if (method === 'PUT') {
        const isAnnounced = await receive(pathOf(key), url.searchParams, request);
        if (isAnnounced) response.writeHead(200, { 'content-length': 0 }).end();
        else sendProblem(response, 422, 'artifact_mismatch', 'The uploaded bytes do not match the declared size or hash');
      } else await deliver(pathOf(key), url.searchParams, response);
      return true;
    },
  };
};

/** Stores the bytes of a request if they match what was announced, and returns whether they did. Otherwise nothing is kept. */
const receive = async (path: string, query: URLSearchParams, request: IncomingMessage): Promise<boolean> => {
  const size = Number(query.get('size'));
  const hash = createHash('sha256');
  const part = `${path}.${process.hrtime.bigint()}.part`;
  await mkdir(join(path, '..'), { recursive: true });
  let length = 0;
  try {
    await pipeline(
      request,
      async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          length += chunk.length;
          if (length > size) return; // longer than announced: the rest is not stored
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(part),
    );
    const sha256 = hash.digest('hex');
    const isAnnounced = length === size && sha256 === query.get('sha256');
    if (isAnnounced) await keep(part, path, sha256);
    return isAnnounced;
  } finally {
    await rm(part, { force: true });
  }
};

/** Written to disk before it gets its name, so that a name never refers to half a file. */
const keep = async (part: string, path: string, sha256: string) => {
  const file = await open(part);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await writeFile(`${path}.sha256`, sha256, { flush: true });
  await rename(part, path);
};

const deliver = async (path: string, query: URLSearchParams, response: ServerResponse) => {
  const file = await stat(path).catch(() => null);
  if (file === null) return sendProblem(response, 404, 'artifact_not_found', 'The bytes of this artifact no longer exist');
  response.writeHead(200, {
    'content-type': query.get('type') ?? 'application/octet-stream',
    'content-length': file.size,
    'content-disposition': attachmentOf(query.get('name') ?? 'artifact'),
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
  });
  await pipeline(createReadStream(path), response).catch(() => response.destroy());
};
