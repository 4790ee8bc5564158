import type { Transfer } from '../../../schema/artifact.ts';

/** Stores the bytes of artifacts. Clients transfer them with the requests that it signs; the bytes never pass through a Lambda. */
export type BlobStore = {
  /** A request that accepts only the announced bytes. */
  upload(key: string, blob: { size_bytes: number; sha256: string; content_type: string }): Promise<Transfer>;
  download(key: string, file: { name: string; content_type: string }): Promise<Transfer>;
  /** Null when nothing is stored under the key. */
  stat(key: string): Promise<{ size_bytes: number; sha256: string } | null>;
  /** Removing a blob that does not exist is no error. */
  remove(key: string): Promise<void>;
};

/** How long a signed request stays valid. */
export const BLOB_LIFE_MS = 15 * 60_000;

const KEY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const isBlobKey = (key: string) => KEY.test(key);
export const checkBlobKey = (key: string) => {
  if (!isBlobKey(key)) throw new Error('a blob key is a UUID');
};

/** Makes a browser save the file under the last part of its name, never open it. */
export const attachmentOf = (name: string) =>
  `attachment; filename*=UTF-8''${encodeURIComponent(name.split('/').at(-1) ?? 'artifact').replaceAll("'", '%27')}`;
