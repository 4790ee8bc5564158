import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AwsKey, holdsKey } from '../aws-key.ts';
import { readBytes } from '../gateway/event.ts';
import type { SocketConnection } from './connection.ts';

type Answer = { status: number; error?: string; body?: unknown };

const GONE: Answer = { status: 410, error: 'GoneException' };
const FORBIDDEN: Answer = { status: 403, error: 'ForbiddenException', body: { message: 'Forbidden' } };
/**
 * API Gateway also returns this when the buffer of a client that does not read is full. Nothing is kept; the sender decides what to
 * do.
 */
const FULL: Answer = { status: 429, error: 'LimitExceededException', body: { message: 'The buffer of the client is full' } };
const TOO_LARGE: Answer = { status: 413, error: 'PayloadTooLargeException', body: { message: 'The message is too large' } };

const write = (response: ServerResponse, { status, error, body }: Answer) => {
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, {
    ...(error ? { 'x-amzn-errortype': error } : {}),
    ...(text ? { 'content-type': 'application/json' } : {}),
    ...(status === 204 ? {} : { 'content-length': Buffer.byteLength(text) }),
  });
  response.end(text);
};

const describe = ({ peer, lastActiveAt }: SocketConnection) => ({
  connectedAt: new Date(peer.connectedAt).toISOString(),
  lastActiveAt: new Date(lastActiveAt()).toISOString(),
  identity: { userAgent: '', ...peer.identity },
});

const post = async (connection: SocketConnection, request: IncomingMessage, most: number): Promise<Answer> => {
  const data = await readBytes(request, most);
  if (data === null) return TOO_LARGE;
  return { sent: { status: 200 }, gone: GONE, full: FULL }[connection.post(data)];
};

type Api = { key: AwsKey; messageBytes: number; find: (id: string) => SocketConnection | undefined };

const answer = async ({ key, messageBytes, find }: Api, id: string, request: IncomingMessage): Promise<Answer> => {
  if (!holdsKey(request, key)) return FORBIDDEN;
  const connection = find(id);
  if (connection === undefined) return GONE;
  if (request.method === 'POST') return post(connection, request, messageBytes);
  if (request.method === 'GET') return { status: 200, body: describe(connection) };
  if (request.method !== 'DELETE') return FORBIDDEN;
  connection.close(1000, 'Connection closed by the server');
  return { status: 204 };
};

/** The `@connections` API, through which only the backend sends to sockets. */
export const createManagement = (api: Api) => async (id: string, request: IncomingMessage, response: ServerResponse) => {
  const found = await answer(api, id, request);
  request.resume();
  write(response, found);
};
