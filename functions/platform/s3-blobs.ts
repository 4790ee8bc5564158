import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';
import type { BlobStore } from '../domain/blobs.ts';
import type { AwsTarget } from './aws.ts';

export type S3BlobOptions = Pick<AwsTarget, 'region' | 'credentials'> & {
  /** The bucket's address, such as https://name.s3.eu-central-1.amazonaws.com, or http://127.0.0.1:4566/name of an emulator. */
  url: string;
  timeoutMs?: number;
};

const LIFE_SECONDS = 15 * 60;
const CHECKSUM = 'x-amz-checksum-sha256';
const CHECKSUM_MODE = 'x-amz-checksum-mode';
/** Signed as headers and not as parts of the address: whoever sends the request must send them, too. */
const AS_HEADERS = new Set([CHECKSUM, CHECKSUM_MODE]);

const hexToBase64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
const base64ToHex = (base64: string) => Buffer.from(base64, 'base64').toString('hex');

/** As Lambda gives them to a function. */
const fromLambda = () => {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '', AWS_SESSION_TOKEN: sessionToken } = process.env;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
};
const regionOfLambda = () => {
  const { AWS_REGION = '' } = process.env;
  return AWS_REGION;
};

type Wanted = { method: 'GET' | 'PUT' | 'HEAD' | 'DELETE'; key: string; query?: Record<string, string>; headers?: Record<string, string> };

/**
 * A bucket of S3. An upload is signed with size, hash and type, so that S3 takes no other bytes; it keeps the hash, which `stat` reads.
 * Signed here without S3's own client, which would be half of each Lambda.
 */
export const createS3Blobs = ({ url, region = regionOfLambda(), credentials, timeoutMs = 3_000 }: S3BlobOptions): BlobStore => {
  const base = new URL(url);
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials: async () => credentials ?? fromLambda(),
    sha256: Hash.bind(null, 'sha256'),
    uriEscapePath: false,
    applyChecksum: false,
  });

  const presign = async ({ method, key, query = {}, headers = {} }: Wanted) => {
    const path = `${base.pathname.replace(/\/$/, '')}/${key}`;
    const { protocol, hostname, host, port } = base;
    const unsigned = { method, protocol, hostname, path, query, headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers } };
    const request = { ...unsigned, ...(port ? { port: Number(port) } : {}) };
    const signed = await signer.presign(request, { expiresIn: LIFE_SECONDS, unhoistableHeaders: AS_HEADERS });
    return `${base.origin}${path}?${new URLSearchParams(signed.query as Record<string, string>)}`;
  };
  const expires_at = () => new Date(Date.now() + LIFE_SECONDS * 1_000).toISOString();

  const send = async (wanted: Wanted): Promise<Response | null> => {
    const answer = await fetch(await presign(wanted), {
      method: wanted.method,
      headers: wanted.headers ?? {},
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`The bucket at ${url} answered ${answer.status} to ${wanted.method} ${wanted.key}`);
    return answer;
  };

  return {
    upload: async (key, { size_bytes, sha256, content_type }) => {
      const headers = { 'content-type': content_type, [CHECKSUM]: hexToBase64(sha256) };
      const address = await presign({ method: 'PUT', key, headers: { ...headers, 'content-length': String(size_bytes) } });
      return { method: 'PUT', url: address, headers, expires_at: expires_at() };
    },
    download: async (key, { name, content_type }) => {
      const file = encodeURIComponent(name.split('/').at(-1) ?? name).replaceAll("'", '%27');
      const query = {
        'response-content-type': content_type,
        'response-content-disposition': `attachment; filename*=UTF-8''${file}`,
      };
      return { method: 'GET', url: await presign({ method: 'GET', key, query }), headers: {}, expires_at: expires_at() };
    },
    stat: async (key) => {
      const found = await send({ method: 'HEAD', key, headers: { [CHECKSUM_MODE]: 'ENABLED' } });
      if (found === null) return null;
      return { size_bytes: Number(found.headers.get('content-length')), sha256: base64ToHex(found.headers.get(CHECKSUM) ?? '') };
    },
    remove: async (key) => {
      await send({ method: 'DELETE', key });
    },
  };
};
