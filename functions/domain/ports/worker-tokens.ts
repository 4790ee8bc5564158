import type { WorkerIdentity } from '../principal.ts';

/** What signs and reads the credentials of workers. */
export type WorkerTokens = {
  sign(worker: WorkerIdentity): Promise<string>;
  /** Null when the token is not one of ours, was changed or has expired. */
  verify(token: string): Promise<(WorkerIdentity & { nears_end: boolean }) | null>;
};
