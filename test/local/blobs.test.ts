import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalBlobs } from '../../local/blobs.ts';
import { announced, bytes, clientOf, describeBlobStore, NOT_ANNOUNCED } from '../support/blob-store.ts';
import { until } from '../support/processes.ts';
import { gatewayForTest } from './support/gateway.ts';

const setup = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-blobs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  let url = '';
  const blobs = createLocalBlobs({ folder: join(folder, 'blobs'), publicUrl: () => url, secret: 'a secret' });
  const { gateway, errors, send } = await gatewayForTest(undefined, { first: blobs.serve });
  url = gateway.url;
  return {
    blobs,
    folder,
    errors,
    send,
    ...clientOf(blobs),
    /** Every file below the folder. */
    files: async () => (await readdir(folder, { recursive: true, withFileTypes: true })).filter((it) => it.isFile()).map((it) => it.name),
  };
};

const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code];

describeBlobStore('the folder of blobs', async () => (await setup()).blobs);

describe('the folder of blobs, over HTTP', () => {
  it('never serves a page that a browser would run', async () => {
    const { upload, download } = await setup();
    const key = randomUUID();
    await upload(key);

    const { headers } = await download(key, 'page.html');

    expect(headers.get('content-security-policy')).toContain('sandbox');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each(NOT_ANNOUNCED)('describes what is wrong with bytes that were not announced, and leaves no file: %s', async (_, content) => {
    const { upload, files, errors } = await setup();

    const answer = await upload(randomUUID(), content, announced(bytes));

    expect(await codeOf(answer)).toEqual([422, 'artifact_mismatch']);
    expect(await files()).toEqual([]);
    expect(errors).toEqual([]);
  });

  it('keeps nothing of an interrupted upload, and accepts it again', async () => {
    const { blobs, upload, files, errors } = await setup();
    const key = randomUUID();
    const { url } = await blobs.upload(key, announced(bytes));
    const sent = request(url, { method: 'PUT', headers: { 'content-length': bytes.length } });
    sent.on('error', () => {});
    sent.write(bytes.subarray(0, 100_000));
    await until('half of it to arrive', async () => (await files()).length > 0);

    sent.destroy();

    await until('the half to be removed', async () => (await files()).length === 0);
    expect(await blobs.stat(key)).toBeNull();
    expect(errors).toEqual([]);
    expect((await upload(key)).status).toBe(200);
  });

  it('keeps one file and its hash for concurrent uploads of the same content, and none after it is removed', async () => {
    const { blobs, upload, download, files } = await setup();
    const key = randomUUID();
    await Promise.all([upload(key), upload(key), upload(key)]);
    expect((await files()).toSorted()).toEqual([key, `${key}.sha256`]);

    await blobs.remove(key);

    expect(await files()).toEqual([]);
    expect(await codeOf(await download(key))).toEqual([404, 'artifact_not_found']);
  });

  it('refuses an address that announces other bytes than were signed', async () => {
    const { blobs, files } = await setup();
    const { url } = await blobs.upload(randomUUID(), announced(bytes));
    const put = { method: 'PUT', body: new Uint8Array(bytes) };

    const answers = [
      await fetch(url.replace(/size=\d+/, 'size=1'), put),
      await fetch(url.replace(/sha256=\w+/, `sha256=${'0'.repeat(64)}`), put),
    ];

    for (const answer of answers) expect(await codeOf(answer)).toEqual([403, 'forbidden']);
    expect(await files()).toEqual([]);
  });

  it.each(['../../secret', '..%2f..%2fsecret', 'ab/../../secret', `${randomUUID()}/../../secret`, 'secret', ''])(
    'reaches nothing by the key "%s"',
    async (key) => {
      const { folder, send } = await setup();
      await writeFile(join(folder, 'secret'), 'untouched');

      const answers = [await send(`/blobs/${key}`), await send(`/blobs/${key}`, { method: 'PUT' }, 'x')];

      expect(answers.map(({ text }) => text).join()).not.toContain('untouched');
      expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('untouched');
    },
  );

  it('passes other addresses on to the API', async () => {
    const { send } = await setup();

    expect(await send('/api/v1/blobs')).toMatchObject({ status: 200, text: '{}' });
  });
});
