import { setTimeout as pause } from 'node:timers/promises';
import {
  ApiGatewayManagementApiClient,
  ApiGatewayManagementApiServiceException,
  DeleteConnectionCommand,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { type Backoff, backoffMs } from '../../schema/client/backoff.ts';
import type { Push } from '../domain/ports/push.ts';
import { type AwsTarget, httpOf, targetOf } from './aws.ts';

export type PushOptions = AwsTarget & { endpoint: string; timeoutMs?: number; attempts?: number };
/** Up to 50 ms before each retry. */
const BACKOFF: Backoff = { baseMs: 50, maxMs: 50, jitter: [0, 1] };

const nameOf = (error: unknown) => (error instanceof Error ? error.name : '');
/** A broken connection or a 5xx response may not recur; a refusal does. */
const isTransient = (error: unknown) =>
  !(error instanceof ApiGatewayManagementApiServiceException) || (error.$metadata.httpStatusCode ?? 500) >= 500;

/**
 * Sends to open sockets through `@connections`. If a response is lost, the message is sent twice. API Gateway accepts at most 128 KB,
 * bills each started 32 KB, and splits longer messages into frames: keep messages below 32 KB.
 */
export const createPush = ({ endpoint, timeoutMs = 3_000, attempts = 2, ...target }: PushOptions): Push & { destroy(): void } => {
  const client = new ApiGatewayManagementApiClient({
    ...targetOf({ endpoint, ...target }),
    requestHandler: httpOf(timeoutMs),
    maxAttempts: 1, // the SDK would repeat a 429 after half a second, although the client is not reading
  });
  const send = async (command: PostToConnectionCommand | DeleteConnectionCommand): Promise<void> => {
    for (let tried = 1; ; tried++) {
      try {
        await client.send(command as PostToConnectionCommand, { abortSignal: AbortSignal.timeout(timeoutMs) });
        return;
      } catch (cause) {
        if (!isTransient(cause)) throw cause;
        if (tried >= attempts) throw new Error(`The socket gateway at ${endpoint} does not answer: ${(cause as Error).message}`, { cause });
        await pause(backoffMs(tried, BACKOFF));
      }
    }
  };
  return {
    post: async (ConnectionId, Data) => {
      try {
        await send(new PostToConnectionCommand({ ConnectionId, Data }));
        return 'sent';
      } catch (error) {
        if (nameOf(error) === 'GoneException') return 'gone';
        if (nameOf(error) === 'LimitExceededException') return 'slow';
        throw error;
      }
    },
    close: async (ConnectionId) => {
      await send(new DeleteConnectionCommand({ ConnectionId })).catch((error: unknown) => {
        if (nameOf(error) !== 'GoneException') throw error;
      });
    },
    destroy: () => client.destroy(),
  };
};
