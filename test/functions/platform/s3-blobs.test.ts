import { createHash, randomUUID } from 'node:crypto';
import { buildApp } from 'fauxqs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createS3Blobs } from '../../../functions/platform/s3-blobs.ts';
import { serve } from '../../support/http-server.ts';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
const announced = (content: string) => ({
  size_bytes: Buffer.byteLength(content),
  sha256: createHash('sha256').update(content).digest('hex'),
  content_type: 'text/plain',
});
const blobsAt = (url: string) => createS3Blobs({ url, region: 'eu-central-1', credentials });

/** A bucket of an emulator, which keeps no hashes. */
const bucketForTest = async () => {
  const app = buildApp({ logger: false, defaultRegion: 'eu-central-1' });
  const endpoint = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  await fetch(`${endpoint}/bucket`, { method: 'PUT' });
  return blobsAt(`${endpoint}/bucket`);
};

const signedParts = (url: string) => {
  const { host, pathname, searchParams } = new URL(url);
  return { host, pathname, headers: searchParams.get('X-Amz-SignedHeaders')?.split(';'), seconds: searchParams.get('X-Amz-Expires') };
};

describe('a bucket of S3', () => {
  it('gives back what was uploaded under its name and type, until it is removed', async () => {
    const blobs = await bucketForTest();
    const key = randomUUID();
    const { method, url, headers } = await blobs.upload(key, announced('content'));
    expect((await fetch(url, { method, headers, body: 'content' })).ok).toBe(true);

    const download = await blobs.download(key, { name: 'in/a folder/ä.txt', content_type: 'text/plain' });

    expect(await (await fetch(download.url)).text()).toBe('content');
    expect(new URL(download.url).searchParams.get('response-content-disposition')).toBe("attachment; filename*=UTF-8''%C3%A4.txt");
    expect(await blobs.stat(key)).toMatchObject({ size_bytes: 7 });
    await blobs.remove(key);
    expect(await blobs.stat(key)).toBeNull();
    await blobs.remove(key);
  });

  it('is asked for no other bytes than those announced: size, hash and type are signed', async () => {
    const blobs = blobsAt('https://bucket.s3.eu-central-1.amazonaws.com');
    const { sha256, ...spec } = announced('content');

    const { url, headers } = await blobs.upload('key', { ...spec, sha256 });

    expect(headers).toEqual({ 'content-type': 'text/plain', 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') });
    expect(signedParts(url)).toEqual({
      host: 'bucket.s3.eu-central-1.amazonaws.com',
      pathname: '/key',
      headers: ['content-length', 'content-type', 'host', 'x-amz-checksum-sha256'],
      seconds: '900',
    });
  });

  it('tells the hash that it keeps', async () => {
    const { sha256, size_bytes } = announced('content');
    const { endpoint: url } = await serve((request, response) => {
      const isAsked = request.headers['x-amz-checksum-mode'] === 'ENABLED';
      response.setHeader('content-length', size_bytes);
      if (isAsked) response.setHeader('x-amz-checksum-sha256', Buffer.from(sha256, 'hex').toString('base64'));
      response.end();
    });

    expect(await blobsAt(`${url}/bucket`).stat('key')).toEqual({ size_bytes, sha256 });
  });

  it('that refuses is told with what was asked of it', async () => {
    const { endpoint: url } = await serve((_, response) => response.writeHead(403).end());

    await expect(blobsAt(`${url}/bucket`).stat('key')).rejects.toThrow(`${url}/bucket answered 403 to HEAD key`);
  });
});
