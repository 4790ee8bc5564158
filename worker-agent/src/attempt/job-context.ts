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
  /** How long a tool may be silent if the subtask sets no limit; 0 for no limit. */
  idleTimeoutSeconds: number;
  firstEventTimeoutSeconds: number;
  /** The commands that `verify` may run. */
  commands: CommandRules;
  maxLogBytes: number;
  maxResultBytes: number;
  reportForMs: number;
  /** The folder for what cannot be sent, and how much it may hold. */
  spoolFolder: string;
  maxSpoolBytes: number;
  /** How long a request is repeated while the platform does not answer, before its content is stored on the disk. */
  directMs?: number;
};
export type JobContext = {
  api: WorkerApi;
  log: Log;
  adapters: ReadonlyMap<string, AgentAdapter>;
  settings: JobSettings;
  redactor: Redactor;
  spool: Spool;
  /** Aborts when this process ends, even if some results have not been sent. */
  leaving: AbortSignal;
  onRevoked(error: unknown): void;
};

/** A reason for releasing work that the metrics count: its lease may have expired. */
export type ReleaseCode = 'lease_at_risk';

/** How an attempt ends, as it is reported to the server; `dropped` is not reported. */
export type Ending =
  | { kind: 'completed'; result?: Json; result_artifact_id?: string; usage?: Usage }
  | { kind: 'failed'; failure_class: FailureClass; message: string; usage?: Usage }
  | { kind: 'released'; reason: string; code?: ReleaseCode }
  | { kind: 'dropped'; reason: string };
