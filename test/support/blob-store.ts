import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { BlobStore } from '../../functions/domain/ports/blobs.ts';

const MINUTE = 60_000;
export const bytes = randomBytes(200_000);
export const announced = (content: Buffer) => ({
  size_bytes: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
  content_type: 'image/png',
});

/** A client that sends the requests that a store signs. */
export const clientOf = (blobs: BlobStore) => ({
  upload: async (key: string, content = bytes, declared = announced(content)) => {
    const { method, url, headers } = await blobs.upload(key, declared);
    return fetch(url, { method, headers, body: new Uint8Array(content) });
  },
  download: async (key: string, name = 'a.png') => {
    const { url, headers } = await blobs.download(key, { name, content_type: 'image/png' });
    return fetch(url, { headers });
  },
});

const other = Buffer.from(bytes);
other[0] = (other[0] ?? 0) ^ 1;
export const NOT_ANNOUNCED: [string, Buffer<ArrayBuffer>][] = [
  ['different bytes of the same size', other],
  ['one byte less', bytes.subarray(1)],
  ['one byte more', Buffer.concat([bytes, Buffer.alloc(1)])],
  ['many more bytes', Buffer.alloc(5_000_000)],
  ['no bytes', Buffer.alloc(0)],
];

/** The tests that every blob store passes. */
export const describeBlobStore = (name: string, open: () => Promise<BlobStore>) => {
  const setup = async () => {
    const blobs = await open();
    return { blobs, ...clientOf(blobs) };
  };

  describe(name, () => {
    it('returns the uploaded bytes unchanged, with their size and hash', async () => {
      const { blobs, upload, download } = await setup();
      const key = randomUUID();

      expect((await upload(key)).status).toBe(200);

      expect(Buffer.from(await (await download(key)).arrayBuffer())).toEqual(bytes);
      const { size_bytes, sha256 } = announced(bytes);
      expect(await blobs.stat(key)).toEqual({ size_bytes, sha256 });
    });

    it('stores an empty blob', async () => {
      const { blobs, upload } = await setup();
      const key = randomUUID();

      expect((await upload(key, Buffer.alloc(0))).status).toBe(200);

      expect(await blobs.stat(key)).toMatchObject({ size_bytes: 0 });
    });

    it('serves a download as an attachment with its file name', async () => {
      const { upload, download } = await setup();
      const key = randomUUID();
      await upload(key);

      const answer = await download(key, "../of/me & 'you'.html");

      const { headers } = answer;
      expect((await answer.arrayBuffer()).byteLength).toBe(bytes.length);
      expect(headers.get('content-type')).toBe('image/png');
      expect(headers.get('content-length')).toBe(String(bytes.length));
      expect(headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''me%20%26%20%27you%27.html");
    });

    it.each(NOT_ANNOUNCED)('refuses an upload that differs from what was announced, and stores nothing: %s', async (_, content) => {
      const { blobs, upload } = await setup();
      const key = randomUUID();

      const answer = await upload(key, content, announced(bytes));

      expect([400, 403, 422]).toContain(answer.status);
      expect(await blobs.stat(key)).toBeNull();
    });

    it('keeps the stored bytes when others are uploaded under the same key', async () => {
      const { upload, download } = await setup();
      const key = randomUUID();
      await upload(key);

      const answer = await upload(key, other, announced(bytes));

      expect(answer.ok).toBe(false);
      expect(Buffer.from(await (await download(key)).arrayBuffer())).toEqual(bytes);
    });

    it('accepts the same upload several times concurrently', async () => {
      const { blobs, upload } = await setup();
      const key = randomUUID();

      const answers = await Promise.all([upload(key), upload(key), upload(key)]);

      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(await blobs.stat(key)).toMatchObject({ size_bytes: bytes.length });
    });

    it('removes a blob, and accepts the removal of a missing one', async () => {
      const { blobs, upload, download } = await setup();
      const key = randomUUID();
      await upload(key);

      await blobs.remove(key);
      await blobs.remove(key);

      expect(await blobs.stat(key)).toBeNull();
      expect((await download(key)).status).toBe(404);
    });

    it('signs URLs that are valid for 15 minutes', async () => {
      const { blobs, upload } = await setup();
      const key = randomUUID();
      await upload(key, Buffer.from('x'));
      vi.useFakeTimers({ toFake: ['Date'] });
      onTestFinished(() => void vi.useRealTimers());
      const { url, expires_at } = await blobs.download(key, { name: 'x', content_type: 'text/plain' });

      vi.setSystemTime(Date.parse(expires_at) - 1_000);
      expect((await fetch(url)).status).toBe(200);
      vi.setSystemTime(Date.parse(expires_at));

      expect((await fetch(url)).status).toBe(403);
      expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(15 * MINUTE);
    });

    it('refuses a URL that was changed or is used with another method', async () => {
      const { blobs, upload } = await setup();
      const [key, another] = [randomUUID(), randomUUID()];
      await upload(another);
      const up = await blobs.upload(key, announced(bytes));
      const down = await blobs.download(another, { name: 'x', content_type: 'text/plain' });
      const put = { method: 'PUT', headers: up.headers, body: new Uint8Array(bytes) };

      const answers = await Promise.all([
        fetch(up.url.replace(key, another), put),
        fetch(up.url.replace(/(expires=)\d+/i, '$19999999999999'), put),
        fetch(down.url.replace(/(expires=)\d+/i, '$19999999999999')),
        fetch(down.url, put),
        fetch(up.url.replace(key, another)),
        fetch(down.url.replace('text%2Fplain', 'text%2Fhtml')),
        fetch(`${down.url}&extra=1`),
        fetch(down.url.replace(/&?[\w-]*signature=[^&]*/i, '')),
        fetch(down.url.replace(/(signature=)[^&]*/i, '$1')),
        fetch(down.url, { method: 'DELETE' }),
      ]);

      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 403));
      expect(await blobs.stat(key)).toBeNull();
      expect(await blobs.stat(another)).not.toBeNull();
    });

    it.each(['../../secret', '..%2f..%2fsecret', `${randomUUID()}/../../secret`, 'secret', ''])(
      'rejects a key that is not a UUID: "%s"',
      async (key) => {
        const { blobs } = await setup();

        await expect(blobs.stat(key)).rejects.toThrow('UUID');
        await expect(blobs.remove(key)).rejects.toThrow('UUID');
        await expect(async () => blobs.upload(key, announced(bytes))).rejects.toThrow('UUID');
        await expect(async () => blobs.download(key, { name: 'x', content_type: 'text/plain' })).rejects.toThrow('UUID');
      },
    );
  });
};
