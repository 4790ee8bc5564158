import type { Event } from '../../../schema/events.ts';
import type { Task } from '../../../schema/task.ts';
import type { Worker } from '../../../schema/worker.ts';
import type { WorkerMode, WorkerStatus } from '../../../schema/states.ts';
import type { WorkerIdentity } from '../principal.ts';

type Owned = { organization_id: string };
export type QueuePlace = Owned & { subtask_id: string; tool: string; priority: number; turn: number };
/** `is_whole` is false when not everything was read. */
export type QueueContents = { ready: QueuePlace[]; in_progress: string[]; is_whole: boolean };
export type QueueGone = Owned & { subtask_id: string; tool: string };
export type LiveEvent = Event & Owned & { tool: string | null };
export type LiveTask = Task & Owned;
export type Beat = { running: number; slots: number | null; info: Record<string, unknown> };
export type RecordedWorker = Worker & Owned & { deleted: boolean };
/** The current state of a worker, for those who follow the workers. */
export type WorkerUpdate = WorkerIdentity & { status: WorkerStatus; mode: WorkerMode };
export type LiveWorker = { worker_id: string; status: WorkerStatus; mode: WorkerMode; tools: readonly string[] };

/** A task that has changed, and the number of its last event since. */
export type ChangedTask = { task_id: string; last_seq: number };
/** What a committed transaction changed. Workers are listed only when a caller changed them: heartbeats report the rest. */
export type Changes = { tasks: readonly ChangedTask[]; workers: readonly RecordedWorker[]; removed: readonly WorkerIdentity[] };
export type CacheKind = 'task' | 'worker';
/** `generation` identifies the latest new work, `age_ms` ago; `idle` is the generation at which everything was done. */
export type Activity = { generation: string | null; age_ms: number; idle: string | null };

/**
 * Data that Redis holds for speed. No decision depends on it, and no method throws: a read that fails returns null, a write that fails
 * returns false, and callers continue with Postgres. A method is one round trip unless its comment states otherwise.
 */
export type Hints = {
  /** Puts subtasks into the ready queues of their tools, and removes those that are no longer ready. */
  place(ready: readonly QueuePlace[], gone: readonly QueueGone[]): Promise<boolean>;
  /** At most `limit` subtasks of each tool in the order of their rank; null when the queues may be incomplete. */
  propose(organizationId: string, tools: readonly string[], limit: number): Promise<string[] | null>;
  /** Records the new states of subtasks and tasks, and publishes them on the channels. */
  follow(events: readonly LiveEvent[], tasks: readonly LiveTask[]): Promise<boolean>;
  /**
   * Makes the queues and sets of an organization equal to what `read` returns from Postgres. Redis is read before Postgres, so that
   * newer entries in Redis are not removed; where the read is not whole, nothing is removed. Three round trips, and one for each thousand.
   */
  reconcile(organizationId: string, read: () => Promise<QueueContents>): Promise<boolean>;

  /**
   * Makes a worker present for 120 s. Returns its mode (null when Redis does not know the worker), its previous agent version, and
   * whether its status has changed.
   */
  beat(worker: WorkerIdentity, beat: Beat): Promise<{ mode: WorkerMode | null; agentVersion: string | null; isChanged: boolean } | null>;
  /** Stores a worker as it is now, until its presence ends. */
  recordWorker(worker: RecordedWorker): Promise<boolean>;
  /** A worker as it was last recorded, with the data of its heartbeats; null when it is unknown. */
  readWorker(organizationId: string, workerId: string): Promise<Worker | null>;
  /** Publishes the current state of workers on their channel. */
  publishWorkers(updates: readonly WorkerUpdate[]): Promise<boolean>;
  /** The workers of an organization that are present. Two round trips. */
  online(organizationId: string): Promise<LiveWorker[]>;
  /** Workers of all organizations whose presence ended and that were not forgotten yet. Three round trips; two more if there are any. */
  findExpired(): Promise<WorkerIdentity[]>;
  /** Forgets workers whose presence has ended. Workers that are present again stay, and are returned. Two round trips. */
  forgetExpired(workers: readonly WorkerIdentity[]): Promise<(WorkerIdentity & { status: 'online' | 'busy' })[]>;

  /** The statuses of workers in the order of the ids; null where it is unknown. */
  presence(workerIds: readonly string[]): Promise<('online' | 'busy' | null)[]>;

  /** Records, before the commit, that there will be something to do. */
  bump(): Promise<boolean>;
  /** When new work last arrived, and which generation of it is known to be done; null when Redis does not know. */
  activity(): Promise<Activity | null>;
  markIdle(generation: string): Promise<boolean>;
  /** Whether no other process has done this within the last `seconds`. Only saves repeated work: correctness does not depend on it. */
  isFirst(name: string, seconds: number): Promise<boolean>;
  ping(): Promise<boolean>;
  readonly isConfigured: boolean;
  /** The number of reads that were answered without the database, and of the others, by kind. */
  rates(): Promise<Record<CacheKind, { hits: number; misses: number }> | null>;

  /** A task as it was last announced; null when it is unknown or may be older than what a client has seen. */
  readTask(organizationId: string, taskId: string): Promise<Task | null>;
  /** Records what a transaction changed: older cached tasks are not returned any more. */
  recordChanges(changes: Changes): Promise<boolean>;
};
