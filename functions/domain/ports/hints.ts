import type { Event } from '../../../schema/events.ts';
import type { Task } from '../../../schema/task.ts';
import type { Worker } from '../../../schema/worker.ts';
import type { WorkerMode, WorkerStatus } from '../../../schema/states.ts';
import type { WorkerIdentity } from '../principal.ts';

type Owned = { organization_id: string };
export type QueuePlace = Owned & { subtask_id: string; tool: string; priority: number; turn: number };
/** `is_whole` is false when there is more than was read. */
export type QueueContents = { ready: QueuePlace[]; in_progress: string[]; is_whole: boolean };
export type QueueGone = Owned & { subtask_id: string; tool: string };
export type LiveEvent = Event & Owned & { tool: string | null };
export type LiveTask = Task & Owned;
export type Beat = { running: number; slots: number | null; info: Record<string, unknown> };
export type RecordedWorker = Worker & Owned & { deleted: boolean };
/** What a worker is now, for those who follow the workers. */
export type WorkerUpdate = WorkerIdentity & { status: WorkerStatus; mode: WorkerMode };
export type LiveWorker = { worker_id: string; status: WorkerStatus; mode: WorkerMode; tools: readonly string[] };

/** A task that has changed, and the number of its last event since. */
export type ChangedTask = { task_id: string; last_seq: number };
/** What a committed transaction changed. Of workers only what a caller changed: what they do themselves is in their heartbeats. */
export type Changes = { tasks: readonly ChangedTask[]; workers: readonly RecordedWorker[]; removed: readonly WorkerIdentity[] };
export type CacheKind = 'task' | 'worker';
/** `generation` names the last thing that was new, `age_ms` ago; `idle` is the generation at which nothing was left to do. */
export type Activity = { generation: string | null; age_ms: number; idle: string | null };

/**
 * What Redis knows, for speed. Nothing here decides and nothing throws: what can't be told is null, what could not be noted is
 * false, and callers go on by Postgres. A method is one round trip unless it says otherwise.
 */
export type Hints = {
  /** Puts subtasks into the ready queues of their tools, and takes out what waits there no longer. */
  place(ready: readonly QueuePlace[], gone: readonly QueueGone[]): Promise<boolean>;
  /** At most `limit` subtasks of each tool in the order of their rank; null when it is not sure that the queues are whole. */
  propose(organizationId: string, tools: readonly string[], limit: number): Promise<string[] | null>;
  /** Notes what became of subtasks and tasks, and publishes it on the channels. */
  follow(events: readonly LiveEvent[], tasks: readonly LiveTask[]): Promise<boolean>;
  /**
   * Makes queues and sets of an organization what `read` answers from Postgres. It is read after Redis, so that what came to Redis
   * since is not taken for wrong; where it is not whole nothing is taken for wrong. Three round trips, and one for each thousand.
   */
  reconcile(organizationId: string, read: () => Promise<QueueContents>): Promise<boolean>;

  /**
   * Makes a worker present for 120 s. Returns its mode, which is null when Redis does not know the worker, the version that it had, and
   * whether its status is another than before.
   */
  beat(worker: WorkerIdentity, beat: Beat): Promise<{ mode: WorkerMode | null; agentVersion: string | null; isChanged: boolean } | null>;
  /** Keeps a worker as it is now, until its presence ends. */
  recordWorker(worker: RecordedWorker): Promise<boolean>;
  /** A worker as it was last noted, with what its heartbeats said; null when it is not known. */
  readWorker(organizationId: string, workerId: string): Promise<Worker | null>;
  /** Publishes what workers are now on the channel of workers. */
  publishWorkers(updates: readonly WorkerUpdate[]): Promise<boolean>;
  /** Those of an organization who are there. Two round trips. */
  online(organizationId: string): Promise<LiveWorker[]>;
  /** Workers whose presence has ended and who were not forgotten yet, in all organizations. Reads those who are present; three round trips, and two more where somebody is gone. */
  findExpired(): Promise<WorkerIdentity[]>;
  /** Forgets workers whose presence has ended. Those who are back by now stay, and are returned. Two round trips. */
  forgetExpired(workers: readonly WorkerIdentity[]): Promise<(WorkerIdentity & { status: 'online' | 'busy' })[]>;

  /** What workers are, as far as it is known, in the order of their ids. */
  presence(workerIds: readonly string[]): Promise<('online' | 'busy' | null)[]>;

  /** Says, before it is committed, that there will be something to do. */
  bump(): Promise<boolean>;
  /** When there was last something new to do, and what of it was found done; null when Redis can't tell. */
  activity(): Promise<Activity | null>;
  markIdle(generation: string): Promise<boolean>;
  /** Whether nobody has done this within the last seconds; saves double work, and decides nothing. */
  isFirst(name: string, seconds: number): Promise<boolean>;
  ping(): Promise<boolean>;
  readonly isConfigured: boolean;
  /** How often reads were answered without the database, by kind. */
  rates(): Promise<Record<CacheKind, { hits: number; misses: number }> | null>;

  /** A task as it was last announced; null when it is not known or may be older than what somebody has seen. */
  readTask(organizationId: string, taskId: string): Promise<Task | null>;
  /** Records what a transaction changed: older cached tasks are not returned any more. */
  recordChanges(changes: Changes): Promise<boolean>;
};
