import { Sha256 } from '@smithy/core/checksum';
import { buildQueryString } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Transfer } from '../../schema/artifact.ts';
import { AppError } from '../../schema/errors.ts';
import { attachmentOf, BLOB_LIFE_MS, type BlobStore, checkBlobKey } from '../domain/ports/blobs.ts';
import { type AwsTarget, regionOfLambda } from './aws.ts';
import { credentialsOfLambda } from './lambda-credentials.ts';

export type S3BlobOptions = Pick<AwsTarget, 'region' | 'credentials'> & {
  /** The URL of the bucket, such as https://name.s3.eu-central-1.amazonaws.com, or http://127.0.0.1:4566/name of an emulator. */
  url: string;
  timeoutMs?: number;
};

type Method = Transfer['method'] | 'HEAD' | 'DELETE';
type Asked = { query?: Record<string, string>; headers?: Record<string, string>; sized?: number };
type Announced = Parameters<BlobStore['upload']>[1];
type Download = Parameters<BlobStore['download']>[1];

class S3Blobs implements BlobStore {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #signer: SignatureV4;

  constructor({ url, region = regionOfLambda(), credentials, timeoutMs = 3_000 }: S3BlobOptions) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#signer = new SignatureV4({
      service: 's3',
      region,
      credentials: async () => credentials ?? credentialsOfLambda(),
      sha256: Sha256,
      uriEscapePath: false,
      applyChecksum: false,
    });
  }

  upload(key: string, { size_bytes, sha256, content_type }: Announced) {
    const headers = { 'content-type': content_type, 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') };
    return this.#sign('PUT', key, { headers, sized: size_bytes });
  }

  download(key: string, { name, content_type }: Download) {
    const query = { 'response-content-type': content_type, 'response-content-disposition': attachmentOf(name) };
    return this.#sign('GET', key, { query: { ...query, 'x-amz-checksum-mode': 'ENABLED' } });
  }

  async stat(key: string) {
    const stored = await this.#ask('HEAD', key, { 'x-amz-checksum-mode': 'ENABLED' });
    if (stored === null) return null;
    const sha256 = Buffer.from(stored.get('x-amz-checksum-sha256') ?? '', 'base64').toString('hex');
    return { size_bytes: Number(stored.get('content-length')), sha256 };
  }

  async remove(key: string) {
    await this.#ask('DELETE', key);
  }

  async #sign<M extends Method>(method: M, key: string, { query = {}, headers = {}, sized }: Asked = {}) {
    checkBlobKey(key);
    const at = new URL(`${this.#url}/${key}`);
    const signingDate = new Date();
    const asked = {
      method,
      protocol: at.protocol,
      hostname: at.hostname,
      path: at.pathname,
      query,
      headers: {
        ...headers,
        ...(sized === undefined ? {} : { 'content-length': String(sized) }), // the client that sends the request adds it itself
        host: at.host,
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      },
    };
    const options = { signingDate, expiresIn: BLOB_LIFE_MS / 1_000, unhoistableHeaders: new Set(Object.keys(headers)) };
    const { query: signed = {} } = await this.#signer.presign(asked, options);
    const expires_at = new Date(signingDate.getTime() + BLOB_LIFE_MS).toISOString();
    return { method, url: `${at.href}?${buildQueryString(signed)}`, headers, expires_at };
  }

  /** Null if nothing is stored. Retried once, because an idle connection may have been lost. */
  async #ask(method: Method, key: string, headers: Record<string, string> = {}): Promise<Headers | null> {
    const signed = await this.#sign(method, key, { headers });
    const send = () => fetch(signed.url, { method, headers, signal: AbortSignal.timeout(this.#timeoutMs) });
    const answer = await send()
      .catch(send)
      .catch((cause: unknown) => {
        throw new AppError('unavailable', 'The artifact store is not responding; retry the request shortly', { cause });
      });
    await answer.body?.cancel();
    if (answer.status === 404) return null;
    if (!answer.ok) throw new AppError('unavailable', `The artifact store returned the status ${answer.status}; retry the request shortly`);
    return answer.headers;
  }
}

/**
 * An S3 bucket. All requests are signed URLs, including our own: the S3 client of the SDK would be half of a Lambda's code. The announced
 * length and hash of an upload are signed, so S3 refuses any other content.
 */
export const createS3Blobs = (options: S3BlobOptions): BlobStore => new S3Blobs(options);
