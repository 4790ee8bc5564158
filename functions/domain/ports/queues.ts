import type { QueueName } from '../../../schema/queue.ts';

export type QueueMessage = { id: string; body: string; delaySeconds?: number };
export type StoredDeadLetter = { message_id: string; body: string; reason: string | null; receive_count: number; sent_at: string };
export type Queues = {
  /** Returns the ids of messages that were not accepted; does not throw for errors that a retry can fix. */
  send(queue: QueueName, messages: readonly QueueMessage[]): Promise<string[]>;
  /** Moves a message to the dead letters of its queue, with the reason. */
  bury(queue: QueueName, body: string, reason: string): Promise<void>;
  /** Some of the dead letters of a queue; `total` is the queue's estimate. */
  listDead(queue: QueueName, most?: number): Promise<{ letters: StoredDeadLetter[]; total: number }>;
  /** Moves the dead letters back to their queue; returns their number, or null when it continues in the background. Some may arrive twice. */
  redrive(queue: QueueName): Promise<number | null>;
};
