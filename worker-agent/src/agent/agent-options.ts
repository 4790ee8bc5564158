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
  /** How long the main thread may be blocked before the worker gives up its leases. */
  stallMs?: number;
  /** Has the secrets that must not leave the worker; the worker's credential is added to it. */
  redactor?: Redactor;
  log?: Log;
  /** Default: the WebSocket of Node, if it has one. With null the worker uses no push messages. */
  WebSocket?: typeof WebSocket | null;
  /** Called when the server has renewed the credential. Store it: the next start needs it. */
  onCredential?: (credential: string) => void;
};
