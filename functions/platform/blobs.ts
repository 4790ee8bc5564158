import { Sha256 } from '@smithy/core/checksum';
import { buildQueryString } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Transfer } from '../../schema/artifact.ts';
import { AppError } from '../../schema/errors.ts';
import { attachmentOf, BLOB_LIFE_MS, type BlobStore, checkBlobKey } from '../domain/ports/blobs.ts';
import { type AwsTarget, regionOfLambda } from './aws.ts';
import { credentialsOfLambda } from './lambda-credentials.ts';

export type S3BlobOptions = Pick<AwsTarget, 'region' | 'credentials'> & {
  /** The bucket's address, such as https://name.s3.eu-central-1.amazonaws.com, or http://127.0.0.1:4566/name of an emulator. */
  url: string;
  timeoutMs?: number;
};

type Method = Transfer['method'] | 'HEAD' | 'DELETE';
type Asked = { query?: Record<string, string>; headers?: Record<string, string>; sized?: number };

/**
 * A bucket of S3. It does everything by signed requests, its own too: S3's client would be half of a Lambda's code.
 * What an upload announced is signed with it, so S3 refuses another length, and bytes that do not have the hash.
 */
export const createS3Blobs = ({ url, region = regionOfLambda(), credentials, timeoutMs = 3_000 }: S3BlobOptions): BlobStore => {
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials: async () => credentials ?? credentialsOfLambda(),
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });

  const sign = async <M extends Method>(method: M, key: string, { query = {}, headers = {}, sized }: Asked = {}) => {
    checkBlobKey(key);
    const at = new URL(`${url}/${key}`);
    const signingDate = new Date();
    const asked = {
      method,
      protocol: at.protocol,
      hostname: at.hostname,
      path: at.pathname,
      query,
      headers: {
        ...headers,
        ...(sized === undefined ? {} : { 'content-length': String(sized) }), // which whoever sends it adds by itself
        host: at.host,
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      },
    };
    const options = { signingDate, expiresIn: BLOB_LIFE_MS / 1_000, unhoistableHeaders: new Set(Object.keys(headers)) };
    const { query: signed = {} } = await signer.presign(asked, options);
    const expires_at = new Date(signingDate.getTime() + BLOB_LIFE_MS).toISOString();
    return { method, url: `${at.href}?${buildQueryString(signed)}`, headers, expires_at };
  };

  /** Null when there is nothing; a connection that broke while it was idle is worth a second try. */
  const ask = async (method: Method, key: string, headers: Record<string, string> = {}): Promise<Headers | null> => {
    const signed = await sign(method, key, { headers });
    const send = () => fetch(signed.url, { method, headers, signal: AbortSignal.timeout(timeoutMs) });
    const answer = await send()
      .catch(send)
      .catch((cause: unknown) => {
        throw new AppError('unavailable', 'The bucket of artifacts does not answer', { cause });
      });
    await answer.body?.cancel();
    if (answer.status === 404) return null;
    if (!answer.ok) throw new AppError('unavailable', `The bucket of artifacts answered ${answer.status}`);
    return answer.headers;
  };

  return {
    upload: (key, { size_bytes, sha256, content_type }) => {
      const headers = { 'content-type': content_type, 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') };
      return sign('PUT', key, { headers, sized: size_bytes });
    },
    download: (key, { name, content_type }) => {
      const query = { 'response-content-type': content_type, 'response-content-disposition': attachmentOf(name) };
      return sign('GET', key, { query: { ...query, 'x-amz-checksum-mode': 'ENABLED' } });
    },
    stat: async (key) => {
      const told = await ask('HEAD', key, { 'x-amz-checksum-mode': 'ENABLED' });
      if (told === null) return null;
      const sha256 = Buffer.from(told.get('x-amz-checksum-sha256') ?? '', 'base64').toString('hex');
      return { size_bytes: Number(told.get('content-length')), sha256 };
    },
    remove: async (key) => {
      await ask('DELETE', key);
    },
  };
};
