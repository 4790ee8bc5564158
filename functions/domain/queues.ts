/** The queues between what commits and what follows from it: `subtasks` to those who may work, `events` to those who watch. */
export type QueueName = 'subtasks' | 'events';
export type QueueMessage = { id: string; body: string; delaySeconds?: number };
export type Queues = {
  /** Answers the ids of messages that were not taken; throws nothing that a repeat would mend. */
  send(queue: QueueName, messages: readonly QueueMessage[]): Promise<string[]>;
  /** Puts a message among the dead letters of its queue, with the reason. */
  bury(queue: QueueName, body: string, reason: string): Promise<void>;
};
