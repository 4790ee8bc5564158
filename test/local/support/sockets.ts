import { once } from 'node:events';
import { ApiGatewayManagementApiClient } from '@aws-sdk/client-apigatewaymanagementapi';
import { APIGatewayProxyWebsocketEventSchema } from '@aws-lambda-powertools/parser/schemas/api-gateway-websocket';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { createAwsKey, REGION } from '../../../local/aws-key.ts';
import { startGateway } from '../../../local/gateway.ts';
import type { SocketHandler } from '../../../local/socket-gateway/calls.ts';
import type { SocketEvent } from '../../../local/socket-gateway/gateway-events.ts';
import { watchFrames } from '../../../local/socket-gateway/watch-frames.ts';
import { createSocketGateway, type SocketGatewayOptions } from '../../../local/socket-gateway.ts';

/** The published schema, without the fields that API Gateway gives only to authorizers or not with every event. */
export const PublishedEvent = APIGatewayProxyWebsocketEventSchema.partial({
  type: true,
  methodArn: true,
  multiValueHeaders: true,
  queryStringParameters: true,
  multiValueQueryStringParameters: true,
});

const accept: SocketHandler = async () => ({ statusCode: 200 });

/** Sockets and `@connections` for the running test, in front of a handler that records its events. */
export const socketsForTest = async (answer: SocketHandler = accept, options: Partial<SocketGatewayOptions> = {}) => {
  const events: SocketEvent[] = [];
  const errors: unknown[] = [];
  const key = createAwsKey();
  const sockets = createSocketGateway({
    key,
    handler: (event, context) => {
      events.push(event);
      return answer(event, context);
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  const gateway = await startGateway({
    handlers: { 'person-api': async () => ({ statusCode: 404 }), 'worker-api': async () => ({ statusCode: 404 }) },
    first: sockets.serve,
    upgrades: sockets,
  });
  onTestFinished(async () => {
    await sockets.close();
    await gateway.close();
  });
  /** The events of one type, in order of arrival. */
  const of = (type: SocketEvent['requestContext']['eventType']) => events.filter((event) => event.requestContext.eventType === type);
  const target = { endpoint: `${gateway.url}/ws`, region: REGION, credentials: key };
  const management = new ApiGatewayManagementApiClient({ ...target, maxAttempts: 1 });
  onTestFinished(() => management.destroy());
  return {
    sockets,
    gateway,
    events,
    errors,
    key,
    target,
    management,
    url: `ws://127.0.0.1:${gateway.port}/ws`,
    of,
    connect: (query = '', given: ClientOptions = {}) => connect(`ws://127.0.0.1:${gateway.port}/ws${query}`, given),
    /** Opens a socket and returns it with its connection id. */
    open: async () => {
      const client = await connect(`ws://127.0.0.1:${gateway.port}/ws`);
      const [opened] = of('CONNECT').slice(-1); // others may have ended meanwhile
      return { ...client, id: opened?.requestContext.connectionId ?? '' };
    },
  };
};

/** A client that records what it receives: text as text, binary as bytes. */
export const connect = async (url: string, options: ClientOptions = {}) => {
  const socket = new WebSocket(url, options);
  let frames = 0;
  socket.on('upgrade', (response) =>
    response.socket.prependListener(
      'data',
      watchFrames(-1, () => frames++),
    ),
  );
  const received: (string | Buffer)[] = [];
  socket.on('message', (data: Buffer, isBinary) => received.push(isBinary ? data : data.toString()));
  socket.on('error', () => {});
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return { socket, received, closed, frames: () => frames };
};
