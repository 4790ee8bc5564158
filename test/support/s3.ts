import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { buildApp } from 'fauxqs';
import { onTestFinished } from 'vitest';

const REGION = 'eu-central-1';
const CREDENTIALS = { accessKeyId: 'AKIDTEST', secretAccessKey: 'a secret', sessionToken: 'a session/+=' };
const signer = new SignatureV4({ service: 's3', region: REGION, credentials: CREDENTIALS, sha256: Sha256, uriEscapePath: false });

/** Whether a request has a valid signature that has not expired. The signature is computed again from the request. */
const isSigned = async ({ method = '', url = '', headers }: IncomingMessage): Promise<boolean> => {
  const { pathname, searchParams } = new URL(url, `http://${headers.host}`);
  const takeParameter = (name: string) => {
    const value = searchParams.get(name) ?? '';
    searchParams.delete(name);
    return value;
  };
  const [signature, date, names] = ['X-Amz-Signature', 'X-Amz-Date', 'X-Amz-SignedHeaders'].map(takeParameter) as [string, string, string];
  const expiresIn = Number(takeParameter('X-Amz-Expires'));
  for (const name of ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Security-Token', 'x-amz-content-sha256']) takeParameter(name);
  const signingDate = new Date(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  const signed = Object.fromEntries(names.split(';').map((name) => [name, String(headers[name])]));
  const request = {
    method,
    protocol: 'http:',
    hostname: 'here',
    path: pathname,
    query: Object.fromEntries(searchParams),
    headers: { ...signed, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
  };
  if (!(Date.now() < signingDate.getTime() + expiresIn * 1_000) || expiresIn > 604_800) return false;
  const again = await signer.presign(request, { signingDate, expiresIn, unhoistableHeaders: new Set(names.split(';')) });
  return signature === again.query?.['X-Amz-Signature'];
};

const refusalOf = async (request: IncomingMessage, body: unknown): Promise<{ status: number; code: string } | null> => {
  if (!(await isSigned(request))) return { status: 403, code: 'SignatureDoesNotMatch' };
  const hash = createHash('sha256')
    .update(Buffer.isBuffer(body) ? body : '')
    .digest('base64');
  return request.method === 'PUT' && request.headers['x-amz-checksum-sha256'] !== hash ? { status: 400, code: 'BadDigest' } : null;
};

/**
 * An S3 emulator in this process, with one bucket. Adds what the emulator lacks: it checks signatures and hashes, and sets the
 * response headers that the URL of a download asks for.
 */
export const bucketForTest = async () => {
  const app = buildApp({ logger: false, defaultRegion: REGION });
  let isOpen = true;
  app.addHook('preHandler', async (request, reply) => {
    const refusal = isOpen ? null : await refusalOf(request.raw, request.body);
    if (refusal !== null) await reply.code(refusal.status).send(refusal.code);
  });
  app.addHook('onSend', async (request, reply) => {
    for (const [name, value] of new URL(request.url, 'http://s3').searchParams)
      if (name.startsWith('response-') && reply.statusCode === 200) reply.header(name.slice('response-'.length), value);
  });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  await fetch(`${address}/artifacts`, { method: 'PUT' });
  isOpen = false;
  return { url: `${address}/artifacts`, region: REGION, credentials: CREDENTIALS };
};
