import type { Claimed } from '../../../schema/attempt.ts';
import type { Json } from '../../../schema/json.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import type { Finished, SpawnOptions } from '../process/spawn.ts';

export type Usage = { [key: string]: Json };

/** The work for an agent: the claimed subtask without the fields of its lease. */
export type Job = Readonly<Omit<Claimed, LeaseField | 'inputs'>> & {
  readonly input_keys: readonly string[];
  /** The outputs of the parents by key; large ones are downloaded by this call. */
  inputs(): Promise<Record<string, Json>>;
};
type LeaseField = 'lease_token' | 'lease_seconds' | 'started';

/** What an agent reports while it works. Every event shows that the agent is alive. */
export type AgentEvent =
  | { type: 'log'; stream: LogChunkSpec['stream']; text: string | Uint8Array }
  | { type: 'message'; text: string }
  | { type: 'tool'; name: string; detail: string }
  | { type: 'progress'; percent?: number; message?: string }
  /** The total usage so far; it is also reported if the work fails. `incomplete: true` means that the agent did not report all of it. */
  | { type: 'usage'; usage: Usage }
  | { type: 'warning'; message: string }
  /** The agent is working and has nothing else to report. */
  | { type: 'alive' };

/** What the worker provides to an adapter. */
export type AdapterHost = {
  /** Aborts when the work has to stop: a timeout passed, the lease was lost, or the subtask or the worker was cancelled. */
  readonly signal: AbortSignal;
  /** A folder that only this attempt uses. */
  readonly workspace: string;
  emit(event: AgentEvent): void;
  /** Replaces secrets. Everything that is sent through this host is redacted; call this before you shorten a text, which could cut a secret. */
  redact(text: string): string;
  /** The only way to start a process: it runs in its own process group, and is stopped with all of its descendants. */
  spawn(file: string, args: readonly string[], options: SpawnOptions): Promise<Finished>;
  /** Uploads a file as an artifact of the attempt; returns its id. */
  artifact(file: { name: string; content: string | Uint8Array; content_type?: string }): Promise<string>;
};

/** How a turn of an agent ended, as the agent reports it; the worker decides whether the attempt succeeded. */
export type Outcome = { ended: 'end_turn'; result?: Json } | { ended: 'max_tokens' | 'max_turns' | 'refusal' };

export type AgentRun = {
  /** Rejects with AgentFailure if the work fails. */
  readonly done: Promise<Outcome>;
  /** Starts another turn in the same session, after the agent has ended its turn. */
  send?(message: string): Promise<Outcome>;
};

export type Check = { level: 'ok' | 'warn' | 'fail'; message: string; next?: string };

/** Runs one kind of agent. It stops the agent when the signal of the host aborts. */
export type AgentAdapter = {
  readonly id: string;
  /** Login files, relative to the home folder of the user of the worker. The home folder of an attempt contains only these. */
  readonly logins?: readonly string[];
  /** The checks for `maw worker doctor`. */
  probe(): Promise<Check[]>;
  start(job: Job, host: AdapterHost): AgentRun;
};
