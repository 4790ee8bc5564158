import type { Transfer } from '../../schema/artifact.ts';

/** Where the bytes of artifacts lie. Clients move them by the requests that it signs; they never pass a Lambda. */
export type BlobStore = {
  upload(key: string, blob: { size_bytes: number; sha256: string; content_type: string }): Promise<Transfer>;
  download(key: string, file: { name: string; content_type: string }): Promise<Transfer>;
  /** Null when nothing is stored under the key. */
  stat(key: string): Promise<{ size_bytes: number; sha256: string } | null>;
  /** Removing what is not there is no error. */
  remove(key: string): Promise<void>;
};
