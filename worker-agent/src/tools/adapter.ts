import type { Claimed } from '../../../schema/attempt.ts';
import type { Json } from '../../../schema/json.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import type { Finished, SpawnOptions } from '../process/spawn.ts';

export type Usage = { [key: string]: Json };

/** What an agent is asked to do: the claimed subtask without what belongs to its lease. */
export type Job = Readonly<Omit<Claimed, LeaseField | 'inputs'>> & {
  readonly input_keys: readonly string[];
  /** The outputs of the parents by their keys; large ones are fetched when this is called. */
  inputs(): Promise<Record<string, Json>>;
};
type LeaseField = 'lease_token' | 'lease_seconds' | 'started';

/** What is heard of an agent while it works. Each event is a sign of life. */
export type AgentEvent =
  | { type: 'log'; stream: LogChunkSpec['stream']; text: string | Uint8Array }
  | { type: 'message'; text: string }
  | { type: 'tool'; name: string; detail: string }
  | { type: 'progress'; percent?: number; message?: string }
  /** All that was used so far; it is told also when the work fails. `incomplete: true` where the agent does not tell all. */
  | { type: 'usage'; usage: Usage }
  | { type: 'warning'; message: string }
  /** Nothing to tell but that it is at work. */
  | { type: 'alive' };

/** What an adapter may use of the worker. */
export type AdapterHost = {
  /** Aborts when the work has to stop: time is up, the lease is gone, or a person wants it so. */
  readonly signal: AbortSignal;
  /** A folder of this attempt alone. */
  readonly workspace: string;
  emit(event: AgentEvent): void;
  /** Replaces secrets. What leaves through this host is redacted anyway; this is for text that is cut before. */
  redact(text: string): string;
  /** The only way to start a process: in a group of its own, ended with everything that it started. */
  spawn(file: string, args: readonly string[], options: SpawnOptions): Promise<Finished>;
  /** Leaves a file with the attempt; answers its id. */
  artifact(file: { name: string; content: string | Uint8Array; content_type?: string }): Promise<string>;
};

/** How a turn of an agent ended, in its own words: the worker decides whether that is a success. */
export type Outcome = { ended: 'end_turn'; result?: Json } | { ended: 'max_tokens' | 'max_turns' | 'refusal' };

export type AgentRun = {
  /** Rejects with AgentFailure when the work did not succeed. */
  readonly done: Promise<Outcome>;
  /** Gives an agent that ended its turn another one, in the same session. */
  send?(message: string): Promise<Outcome>;
};

export type Check = { level: 'ok' | 'warn' | 'fail'; message: string; next?: string };

/** Drives one kind of agent. It stops the agent when the host's signal aborts. */
export type AgentAdapter = {
  readonly id: string;
  /** The files that it logs in with, named from the home folder of the worker's user; only they are in the home folder of an attempt. */
  readonly logins?: readonly string[];
  /** What doctor tells of it. */
  probe(): Promise<Check[]>;
  start(job: Job, host: AdapterHost): AgentRun;
};
