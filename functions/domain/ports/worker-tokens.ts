import type { WorkerIdentity } from '../principal.ts';

/** Signs and verifies the credentials of workers. */
export type WorkerTokens = {
  sign(worker: WorkerIdentity): Promise<string>;
  /** Null when the token was signed by another key, was changed or has expired. */
  verify(token: string): Promise<(WorkerIdentity & { nears_end: boolean }) | null>;
};
