import type { Intervals } from '../../../schema/worker.ts';
import type { JobSettings } from '../attempt/job-context.ts';
import type { Redactor } from '../redaction/redactor.ts';
import type { AgentAdapter } from '../tools/adapter.ts';
import type { Log } from './worker-log.ts';

export type AgentOptions = {
  url: string;
  workerId: string;
  credential: string;
  intervals: Intervals;
  tools: readonly AgentAdapter[];
  slots: number;
  timeoutMs: number;
  settings: JobSettings;
  /** How long the main thread may be busy before its leases are given up. */
  stallMs?: number;
  /** Knows the secrets that must not leave the worker; its credential is added. */
  redactor?: Redactor;
  log?: Log;
  /** Left out, that of Node, where it has one; null means that nothing is pushed. */
  WebSocket?: typeof WebSocket | null;
  /** Called when the server renewed the credential: it has to be kept for the next start. */
  onCredential?: (credential: string) => void;
};
