import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { buildApp } from 'fauxqs';
import { onTestFinished } from 'vitest';

const REGION = 'eu-central-1';
const CREDENTIALS = { accessKeyId: 'AKIDTEST', secretAccessKey: 'a secret', sessionToken: 'a session/+=' };
const signer = new SignatureV4({ service: 's3', region: REGION, credentials: CREDENTIALS, sha256: Sha256, uriEscapePath: false });

/** Whether a request is one that was signed: the signature is made anew from what has come, and not too late. */
const isSigned = async ({ method = '', url = '', headers }: IncomingMessage): Promise<boolean> => {
  const { pathname, searchParams } = new URL(url, `http://${headers.host}`);
  const taken = (name: string) => {
    const value = searchParams.get(name) ?? '';
    searchParams.delete(name);
    return value;
  };
  const [signature, date, names] = ['X-Amz-Signature', 'X-Amz-Date', 'X-Amz-SignedHeaders'].map(taken) as [string, string, string];
  const expiresIn = Number(taken('X-Amz-Expires'));
  for (const name of ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Security-Token', 'x-amz-content-sha256']) taken(name);
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
 * S3 in this process, with a bucket; it adds what this one leaves out: signatures and hashes are checked, and a
 * download has the headers that its address names.
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
