import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createS3Blobs } from '../../../functions/platform/blobs.ts';
import { announced, bytes, describeBlobStore } from '../../support/blob-store.ts';
import { serve } from '../../support/http-server.ts';
import { freePort } from '../../support/processes.ts';
import { bucketForTest } from '../../support/s3.ts';

const credentials = { accessKeyId: 'AKIDTEST', secretAccessKey: 'a secret' };

describeBlobStore('a bucket of S3', async () => createS3Blobs(await bucketForTest()));

describe('an upload to an S3 bucket', () => {
  it('is signed with the announced length, hash and type', async () => {
    const blobs = createS3Blobs({ url: 'http://artifacts.test', credentials });

    const { url } = await blobs.upload(randomUUID(), announced(bytes));

    const signed = new URL(url).searchParams.get('X-Amz-SignedHeaders')?.split(';');
    expect(signed).toEqual(expect.arrayContaining(['content-length', 'content-type', 'x-amz-checksum-sha256']));
  });
});

describe('an unavailable bucket', () => {
  const unavailable = { code: 'unavailable', status: 503 };

  it('still signs requests, and is named in the error when it must be read itself', async () => {
    const blobs = createS3Blobs({ url: `http://127.0.0.1:${await freePort()}/artifacts`, credentials });

    expect(await blobs.upload(randomUUID(), announced(bytes))).toMatchObject({ method: 'PUT' });
    await expect(blobs.stat(randomUUID())).rejects.toMatchObject(unavailable);
    await expect(blobs.remove(randomUUID())).rejects.toMatchObject(unavailable);
  });

  it('is not an empty one: a refusal does not mean that nothing is stored', async () => {
    const { endpoint: url } = await serve((_, response) => void response.writeHead(403).end());
    const blobs = createS3Blobs({ url, credentials });

    await expect(blobs.stat(randomUUID())).rejects.toMatchObject({
      ...unavailable,
      message: 'The artifact store returned the status 403; retry the request shortly',
    });
  });

  it('gets a second request when the connection breaks', async () => {
    let calls = 0;
    const { endpoint: url } = await serve((request, response) => {
      calls++;
      if (calls === 1) request.socket.destroy();
      else response.writeHead(204).end();
    });

    await createS3Blobs({ url, credentials }).remove(randomUUID());

    expect(calls).toBe(2);
  });
});
