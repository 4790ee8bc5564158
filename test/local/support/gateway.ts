import { once } from 'node:events';
import { type IncomingMessage, request, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { onTestFinished } from 'vitest';
import type { HttpHandler } from '../../../functions/http/api.ts';
import { type GatewayOptions, startGateway } from '../../../local/gateway.ts';

/** A gateway for the running test, in front of a handler that records its events; `answer` replaces both Lambdas. */
export const gatewayForTest = async (
  answer: HttpHandler = async () => ({ statusCode: 200, body: '{}' }),
  options: Omit<GatewayOptions, 'handlers'> = {},
) => {
  const events: APIGatewayProxyEventV2[] = [];
  const served: string[] = [];
  const errors: unknown[] = [];
  const lambda =
    (name: string): HttpHandler =>
    (event, context) => {
      events.push(event);
      served.push(name);
      return answer(event, context);
    };
  const gateway = await startGateway({
    handlers: { 'person-api': lambda('person-api'), 'worker-api': lambda('worker-api') },
    onError: (error) => errors.push(error),
    ...options,
  });
  onTestFinished(() => gateway.close());
  return {
    gateway,
    events,
    served,
    errors,
    /** Sends a request exactly as written: fetch would normalize its path and headers. */
    send: (path: string, given: RequestOptions = {}, body?: string | Buffer) => send(gateway.port, path, given, body),
    /** The event that a request becomes. */
    eventOf: async (path: string, given: RequestOptions = {}, body?: string | Buffer) => {
      await send(gateway.port, path, given, body);
      const event = events.at(-1);
      if (event === undefined) throw new Error('no event was made');
      return event;
    },
  };
};

export type Answer = { status: number; headers: IncomingMessage['headers']; text: string };

export const send = async (port: number, path: string, given: RequestOptions = {}, body?: string | Buffer): Promise<Answer> => {
  const sent = request({ host: '127.0.0.1', port, path, agent: false, ...given });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, text: await text(response) };
};

/** A raw connection, for requests that are never completed or are abandoned. */
export const open = async (port: number) => {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
};
