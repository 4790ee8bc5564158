import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLocalBlobs } from '../../local/blobs.ts';
import { until } from '../support/processes.ts';
import { gatewayForTest } from './support/gateway.ts';

const MINUTE = 60_000;
const bytes = randomBytes(200_000);
const announced = (content: Buffer) => ({
  size_bytes: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
  content_type: 'image/png',
});

const setup = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-blobs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  let url = '';
  const blobs = createLocalBlobs({ folder: join(folder, 'blobs'), publicUrl: () => url, secret: 'a secret' });
  const { gateway, errors, send } = await gatewayForTest(undefined, { first: blobs.serve });
  url = gateway.url;
  const upload = async (key: string, content = bytes, told = announced(content)) => {
    const { method, url: address, headers } = await blobs.upload(key, told);
    return fetch(address, { method, headers, body: new Uint8Array(content) });
  };
  return {
    blobs,
    folder,
    errors,
    send,
    upload,
    download: async (key: string, name = 'a.png') => fetch((await blobs.download(key, { name, content_type: 'image/png' })).url),
    /** Every file below the folder. */
    files: async () => (await readdir(folder, { recursive: true, withFileTypes: true })).filter((it) => it.isFile()).map((it) => it.name),
  };
};

const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code];

describe('the folder of blobs', () => {
  it('gives back what was uploaded, byte for byte, and knows its size and hash', async () => {
    const { blobs, upload, download } = await setup();
    const key = randomUUID();

    expect((await upload(key)).status).toBe(200);

    expect(Buffer.from(await (await download(key)).arrayBuffer())).toEqual(bytes);
    const { size_bytes, sha256 } = announced(bytes);
    expect(await blobs.stat(key)).toEqual({ size_bytes, sha256 });
  });

  it('keeps an empty blob too', async () => {
    const { blobs, upload } = await setup();
    const key = randomUUID();

    expect((await upload(key, Buffer.alloc(0))).status).toBe(200);

    expect(await blobs.stat(key)).toMatchObject({ size_bytes: 0 });
  });

  it('downloads as an attachment that a browser does not run', async () => {
    const { upload, download } = await setup();
    const key = randomUUID();
    await upload(key);

    const answer = await download(key, "../of/me & 'you'.html");

    const { headers } = answer;
    expect((await answer.arrayBuffer()).byteLength).toBe(bytes.length);
    expect(headers.get('content-type')).toBe('image/png');
    expect(headers.get('content-length')).toBe(String(bytes.length));
    expect(headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''me%20%26%20%27you%27.html");
    expect(headers.get('content-security-policy')).toContain('sandbox');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  const other = Buffer.from(bytes);
  other[0] = (other[0] ?? 0) ^ 1;
  it.each([
    ['others of the same size', other],
    ['fewer', bytes.subarray(1)],
    ['one more', Buffer.concat([bytes, Buffer.alloc(1)])],
    ['many more', Buffer.alloc(5_000_000)],
    ['none', Buffer.alloc(0)],
  ])('refuses bytes that are not those announced: %s, and keeps nothing', async (_, content) => {
    const { blobs, upload, files, errors } = await setup();
    const key = randomUUID();

    const answer = await upload(key, content, announced(bytes));

    expect(await codeOf(answer)).toEqual([422, 'artifact_mismatch']);
    expect(await files()).toEqual([]);
    expect(await blobs.stat(key)).toBeNull();
    expect(errors).toEqual([]);
  });

  it('keeps nothing of an upload that is cut off, and takes it again', async () => {
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

  it('leaves what is there when other bytes come for the same key', async () => {
    const { upload, download } = await setup();
    const key = randomUUID();
    await upload(key);

    const answer = await upload(key, other, announced(bytes));

    expect(await codeOf(answer)).toEqual([422, 'artifact_mismatch']);
    expect(Buffer.from(await (await download(key)).arrayBuffer())).toEqual(bytes);
  });

  it('takes the same upload twice at once', async () => {
    const { upload, files } = await setup();
    const key = randomUUID();

    const answers = await Promise.all([upload(key), upload(key), upload(key)]);

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await files()).toSorted()).toEqual([key, `${key}.sha256`]);
  });

  it('removes a blob, and one that is not there', async () => {
    const { blobs, upload, download, files } = await setup();
    const key = randomUUID();
    await upload(key);

    await blobs.remove(key);
    await blobs.remove(key);

    expect(await files()).toEqual([]);
    expect(await codeOf(await download(key))).toEqual([404, 'artifact_not_found']);
  });

  it('answers an address for 15 minutes', async () => {
    const { blobs, upload } = await setup();
    const key = randomUUID();
    await upload(key, Buffer.from('x'));
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const { url, expires_at } = await blobs.download(key, { name: 'x', content_type: 'text/plain' });

    vi.setSystemTime(Date.parse(expires_at) - 1);
    expect((await fetch(url)).status).toBe(200);
    vi.setSystemTime(Date.parse(expires_at));

    expect(await codeOf(await fetch(url))).toEqual([403, 'forbidden']);
    expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(15 * MINUTE);
  });

  it('refuses an address that was changed, or is used for something else', async () => {
    const { blobs, upload, files } = await setup();
    const [key, another] = [randomUUID(), randomUUID()];
    await upload(another);
    const before = await files();
    const up = await blobs.upload(key, announced(bytes));
    const down = await blobs.download(another, { name: 'x', content_type: 'text/plain' });
    const put = { method: 'PUT', body: new Uint8Array(bytes) };
    const later = (url: string) => url.replace(/expires=\d+/, `expires=${Date.now() + 60 * MINUTE}`);

    const answers = await Promise.all([
      fetch(up.url.replace(key, another), put),
      fetch(up.url.replace(/size=\d+/, 'size=1'), put),
      fetch(up.url.replace(/sha256=\w+/, `sha256=${'0'.repeat(64)}`), put),
      fetch(later(up.url), put),
      fetch(later(down.url)),
      fetch(down.url, put),
      fetch(up.url.replace(key, another)),
      fetch(down.url.replace('text%2Fplain', 'text%2Fhtml')),
      fetch(`${down.url}&extra=1`),
      fetch(down.url.replace(/&signature=.*/, '')),
      fetch(down.url.replace(/signature=.*/, 'signature=')),
      fetch(down.url, { method: 'DELETE' }),
    ]);

    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 403));
    expect(await files()).toEqual(before);
  });

  it.each(['../../secret', '..%2f..%2fsecret', 'ab/../../secret', `${randomUUID()}/../../secret`, 'secret', ''])(
    'reaches nothing by the key "%s"',
    async (key) => {
      const { blobs, folder, send } = await setup();
      await writeFile(join(folder, 'secret'), 'untouched');

      await expect(blobs.stat(key)).rejects.toThrow('UUID');
      await expect(blobs.remove(key)).rejects.toThrow('UUID');
      await expect(blobs.upload(key, announced(bytes))).rejects.toThrow('UUID');
      await expect(blobs.download(key, { name: 'x', content_type: 'text/plain' })).rejects.toThrow('UUID');
      const answers = [await send(`/blobs/${key}`), await send(`/blobs/${key}`, { method: 'PUT' }, 'x')];

      expect(answers.map(({ text }) => text).join()).not.toContain('untouched');
      expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('untouched');
    },
  );

  it('leaves other addresses to the API', async () => {
    const { send } = await setup();

    expect(await send('/api/v1/blobs')).toMatchObject({ status: 200, text: '{}' });
  });
});
