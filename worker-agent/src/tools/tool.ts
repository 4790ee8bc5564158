import type { Json } from '../../../schema/json.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import type { FailureClass } from '../../../schema/task.ts';
import type { Finished, SpawnOptions } from './spawn.ts';

type LogStream = LogChunkSpec['stream'];
export type Usage = { [key: string]: Json };

/** What a tool is asked to do. */
export type Job = {
  readonly subtask_id: string;
  readonly task_id: string;
  readonly key: string;
  readonly kind: string;
  readonly goal: string;
  readonly task_goal: string;
  readonly attempt: number;
  readonly input: Json;
  readonly input_keys: readonly string[];
  /** The outputs of the parents by their keys; large ones are fetched when this is called. */
  inputs(): Promise<Record<string, Json>>;
};

/** What a tool may use of the worker. */
export type Host = {
  /** Aborts when the work has to stop: time is up, the lease is gone, or a person wants it so. */
  readonly signal: AbortSignal;
  /** A folder of this attempt alone. */
  readonly workspace: string;
  log(stream: LogStream, text: string | Uint8Array): void;
  progress(progress: { percent?: number; message?: string }): void;
  /** The only way to start a process: in a group of its own, ended with everything that it started. */
  spawn(file: string, args: readonly string[], options: SpawnOptions): Promise<Finished>;
  /** Leaves a file with the attempt; answers its id. */
  artifact(file: { name: string; content: string | Uint8Array; content_type?: string }): Promise<string>;
};

export type Outcome = { result: Json; usage?: Usage };
export type Check = { level: 'ok' | 'warn' | 'fail'; message: string; next?: string };

/** An adapter: drives one kind of agent. */
export type Tool = {
  readonly name: string;
  /** What doctor tells of it. */
  probe(): Promise<Check[]>;
  /** Throws ToolFailure when the work did not succeed. */
  run(job: Job, host: Host): Promise<Outcome>;
};

/** Work that did not succeed, with the class that decides whether it is repeated. */
export class ToolFailure extends Error {
  readonly failureClass: FailureClass;
  readonly usage: Usage | undefined;

  constructor(failureClass: FailureClass, message: string, options: { usage?: Usage; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ToolFailure';
    this.failureClass = failureClass;
    this.usage = options.usage;
  }
}
