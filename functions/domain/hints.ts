import type { Event } from '../../schema/events.ts';
import type { Task } from '../../schema/task.ts';
import type { WorkerMode } from '../../schema/states.ts';
import type { WorkerIdentity } from './context.ts';

type Owned = { organization_id: string };
export type QueuePlace = Owned & { subtask_id: string; tool: string; priority: number; turn: number };
export type QueueGone = Owned & { subtask_id: string; tool: string };
export type LiveEvent = Event & Owned & { tool: string | null };
export type LiveTask = Task & Owned;
export type Beat = { isBusy: boolean; info: Record<string, unknown> };
export type LiveWorker = { worker_id: string; status: 'online' | 'busy' | 'offline'; mode: WorkerMode; tools: readonly string[] };

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
   * since is not taken for wrong. Three round trips.
   */
  reconcile(organizationId: string, read: () => Promise<{ ready: QueuePlace[]; in_progress: string[] }>): Promise<boolean>;

  /** Notes that a worker lives, for 120 s; answers its mode, which is null when Redis does not know the worker. */
  beat(worker: WorkerIdentity, beat: Beat): Promise<{ mode: WorkerMode | null } | null>;
  noteWorker(worker: WorkerIdentity & { mode: WorkerMode; tools: readonly string[]; version: number; deleted: boolean }): Promise<boolean>;
  /** Those of an organization who are there. Two round trips. */
  online(organizationId: string): Promise<LiveWorker[]>;

  /** A task as it was last announced; null when it is not known or may be older than what somebody has seen. */
  readTask(organizationId: string, taskId: string): Promise<Task | null>;
  /** What is older than this version of a task is not answered any more. */
  outdate(taskId: string, version: number): Promise<boolean>;
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
