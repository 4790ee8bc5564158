import type { Event } from '../../schema/events.ts';
import type { Task } from '../../schema/task.ts';
import type { Worker } from '../../schema/worker.ts';
import type { WorkerMode } from '../../schema/states.ts';
import type { WorkerIdentity } from './context.ts';

type Owned = { organization_id: string };
export type QueuePlace = Owned & { subtask_id: string; tool: string; priority: number; turn: number };
/** `is_whole` is false when there is more than was read. */
export type QueueContents = { ready: QueuePlace[]; in_progress: string[]; is_whole: boolean };
export type QueueGone = Owned & { subtask_id: string; tool: string };
export type LiveEvent = Event & Owned & { tool: string | null };
export type LiveTask = Task & Owned;
export type Beat = { running: number; slots: number | null; info: Record<string, unknown> };
export type NotedWorker = Worker & Owned & { deleted: boolean };
export type LiveWorker = { worker_id: string; status: 'online' | 'busy' | 'offline'; mode: WorkerMode; tools: readonly string[] };

/** A task that has changed, and the number of its last event since. */
export type ChangedTask = { task_id: string; last_seq: number };
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

  /** Notes that a worker lives, for PRESENCE_SECONDS; answers its mode, which is null when Redis does not know the worker, and the version that it had. */
  beat(worker: WorkerIdentity, beat: Beat): Promise<{ mode: WorkerMode | null; agentVersion: string | null } | null>;
  /** Keeps a worker as it is now, until its presence ends; publishes it. */
  noteWorker(worker: NotedWorker): Promise<boolean>;
  /** A worker that was removed, and the tasks that this changed. */
  forgetWorker(worker: WorkerIdentity, changed: readonly ChangedTask[]): Promise<boolean>;
  /** A worker as it was last noted, with what its heartbeats said; null when it is not known. */
  readWorker(organizationId: string, workerId: string): Promise<Worker | null>;
  /** Those of an organization who are there. Two round trips, a third when some are gone. */
  online(organizationId: string): Promise<LiveWorker[]>;
  /** Lets go of workers that were not heard of any more, in all organizations. */
  sweepPresence(): Promise<void>;

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
  /** What was cached of these tasks before is not answered any more. */
  outdate(changed: readonly ChangedTask[]): Promise<boolean>;
};

/** Who opened a socket, and for which organization. */
export type SocketOwner = Owned & { kind: 'caller' | 'worker'; id: string; owner_id: string | null };
/** The registry of sockets and of what each has subscribed to; without it there is no push. Throws nothing, like the others. */
export type Sockets = {
  keepTicket(hash: string, owner: SocketOwner, seconds: number): Promise<boolean>;
  /** Uses a ticket up. */
  takeTicket(hash: string): Promise<SocketOwner | null>;
  add(connectionId: string, owner: SocketOwner): Promise<boolean>;
  ownerOf(connectionId: string): Promise<SocketOwner | null>;
  subscribe(connectionId: string, organizationId: string, topics: readonly string[]): Promise<boolean>;
  unsubscribe(connectionId: string, organizationId: string, topics: readonly string[]): Promise<boolean>;
  /** The sockets of each topic, in the order of the topics. */
  subscribers(organizationId: string, topics: readonly string[]): Promise<string[][]>;
  /** Two round trips. */
  remove(connectionId: string): Promise<boolean>;
};
