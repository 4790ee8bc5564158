import type { QueueName } from '../../../schema/queue.ts';

export type QueueMessage = { id: string; body: string; delaySeconds?: number };
export type StoredDeadLetter = { message_id: string; body: string; reason: string | null; receive_count: number; sent_at: string };
export type Queues = {
  /** Answers the ids of messages that were not taken; throws nothing that a repeat would mend. */
  send(queue: QueueName, messages: readonly QueueMessage[]): Promise<string[]>;
  /** Puts a message among the dead letters of its queue, with the reason. */
  bury(queue: QueueName, body: string, reason: string): Promise<void>;
  /** Some of the dead letters of a queue; `total` is the queue's estimate. */
  listDead(queue: QueueName, most?: number): Promise<{ letters: StoredDeadLetter[]; total: number }>;
  /** Brings the dead letters back to their queue: how many, or null when that goes on in the background. Some may come twice. */
  redrive(queue: QueueName): Promise<number | null>;
};
