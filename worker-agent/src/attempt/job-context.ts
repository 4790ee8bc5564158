import type { Json } from '../../../schema/json.ts';
import type { FailureClass } from '../../../schema/task.ts';
import type { WorkerApi } from '../api/worker-api.ts';
import type { Isolation } from '../process/isolation/isolation.ts';
import type { Log } from '../agent/worker-log.ts';
import type { Redactor } from '../redaction/redactor.ts';
import type { Limits } from '../process/limit-guard.ts';
import type { Spool } from '../report/spool/spool.ts';
import type { AgentAdapter, Usage } from '../tools/adapter.ts';
import type { CommandRules } from '../process/allowed-command.ts';

export type JobSettings = {
  /** The folder of this worker's attempts. */
  workspaces: string;
  keepWorkspaces: boolean;
  isolation: Isolation;
  limits: Limits;
  killGraceMs: number;
  /** How long nothing may be heard of a tool where the subtask does not say; 0 for as long as it likes. */
  idleTimeoutSeconds: number;
  firstEventTimeoutSeconds: number;
  /** What `verify` may run. */
  commands: CommandRules;
  maxLogBytes: number;
  maxResultBytes: number;
  reportForMs: number;
  /** Where what cannot be sent is kept, and how much of it. */
  spoolFolder: string;
  maxSpoolBytes: number;
  /** For so long a platform that does not answer is asked again before something is kept. */
  directMs?: number;
};
export type JobContext = {
  api: WorkerApi;
  log: Log;
  adapters: ReadonlyMap<string, AgentAdapter>;
  settings: JobSettings;
  redactor: Redactor;
  spool: Spool;
  /** Aborts when this process ends, whatever could not be sent. */
  leaving: AbortSignal;
  onRevoked(error: unknown): void;
};

/** Why work is given back, where the metrics count it: its lease may have run out. */
export type ReleaseCode = 'lease_at_risk';

/** How an attempt ends, as it is told to the server; `dropped` is told to nobody. */
export type Ending =
  | { kind: 'completed'; result?: Json; result_artifact_id?: string; usage?: Usage }
  | { kind: 'failed'; failure_class: FailureClass; message: string; usage?: Usage }
  | { kind: 'released'; reason: string; code?: ReleaseCode }
  | { kind: 'dropped'; reason: string };
