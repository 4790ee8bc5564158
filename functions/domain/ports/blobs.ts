import type { Transfer } from '../../../schema/artifact.ts';

/** Where the bytes of artifacts lie. Clients move them by the requests that it signs; they never pass a Lambda. */
export type BlobStore = {
  /** Takes the bytes announced and no others. */
  upload(key: string, blob: { size_bytes: number; sha256: string; content_type: string }): Promise<Transfer>;
  download(key: string, file: { name: string; content_type: string }): Promise<Transfer>;
  /** Null when nothing is stored under the key. */
  stat(key: string): Promise<{ size_bytes: number; sha256: string } | null>;
  /** Removing what is not there is no error. */
  remove(key: string): Promise<void>;
};

/** How long a signed request may be begun. */
export const BLOB_LIFE_MS = 15 * 60_000;

const KEY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const isBlobKey = (key: string) => KEY.test(key);
export const checkBlobKey = (key: string) => {
  if (!isBlobKey(key)) throw new Error('a blob key is a UUID');
};

/** Saved under the last part of its name, and never run by a browser. */
export const attachmentOf = (name: string) =>
  `attachment; filename*=UTF-8''${encodeURIComponent(name.split('/').at(-1) ?? 'artifact').replaceAll("'", '%27')}`;
