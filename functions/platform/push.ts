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
/** At most 50 ms, the same for each try. */
const BACKOFF: Backoff = { baseMs: 50, maxMs: 50, jitter: [0, 1] };

const nameOf = (error: unknown) => (error instanceof Error ? error.name : '');
/** A refusal stays one; a connection that broke, or a fault of the service, may pass. */
const mayPass = (error: unknown) =>
  !(error instanceof ApiGatewayManagementApiServiceException) || (error.$metadata.httpStatusCode ?? 500) >= 500;

/**
 * Speaks to open sockets through `@connections`. An answer lost on the way makes a message come twice. API Gateway carries 128 KB at
 * most, meters each 32 KB begun, and cuts what is longer into frames: keep messages below 32 KB.
 */
export const createPush = ({ endpoint, timeoutMs = 3_000, attempts = 2, ...target }: PushOptions): Push & { destroy(): void } => {
  const client = new ApiGatewayManagementApiClient({
    ...targetOf({ endpoint, ...target }),
    requestHandler: httpOf(timeoutMs),
    maxAttempts: 1, // the SDK would repeat a 429, half a second later, for a client that does not read
  });
  const send = async (command: PostToConnectionCommand | DeleteConnectionCommand): Promise<void> => {
    for (let tried = 1; ; tried++) {
      try {
        await client.send(command as PostToConnectionCommand, { abortSignal: AbortSignal.timeout(timeoutMs) });
        return;
      } catch (cause) {
        if (!mayPass(cause)) throw cause;
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
