import { randomUUID } from 'node:crypto';
import type { Message } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { type Handler, invoke } from '../lambda.ts';
import { failuresOf, sqsEvent } from './event.ts';

export type HandleOptions = { arn: string; timeoutMs: number; onError: (error: unknown) => void };

/**
 * Calls a Lambda handler with messages and returns those that succeeded: all except those in `batchItemFailures`, or none if the
 * handler throws, takes too long, or names a message outside its batch.
 */
export const createHandle =
  (handler: Handler<SQSEvent>, { arn, timeoutMs, onError }: HandleOptions) =>
  async (messages: readonly Message[]): Promise<Message[]> => {
    const outcome = await invoke(handler, sqsEvent(messages, arn), randomUUID(), timeoutMs);
    if (outcome.kind === 'failed') onError(outcome.error);
    if (outcome.kind === 'late') onError(new Error(`The handler of ${arn} took longer than ${timeoutMs} ms`));
    if (outcome.kind !== 'answered') return [];
    const failed = failuresOf(
      outcome.answer,
      messages.map(({ MessageId = '' }) => MessageId),
    );
    if (failed === null)
      onError(new Error(`The handler of ${arn} returned batchItemFailures that are not in its batch; the whole batch is delivered again`));
    return failed === null ? [] : messages.filter(({ MessageId = '' }) => !failed.has(MessageId));
  };
