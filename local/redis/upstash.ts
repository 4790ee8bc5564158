import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { LinkedRequester } from './requester.ts';

const TOKEN = randomBytes(24).toString('hex');

/** Upstash's REST API in front of a Redis: a rejected command or transaction is a 400, messages are sent as an event stream. */
export const startUpstash = async (requester: LinkedRequester) => {
  const counted = { requests: 0, commands: 0 };
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '/').slice(1).split('/').filter(Boolean).map(decodeURIComponent);
    if (request.headers.authorization !== `Bearer ${TOKEN}`)
      return reply(response, 401, { error: 'WRONGPASS invalid or missing auth token' });
    const body = await json(request);
    if (path[0]?.endsWith('subscribe')) return stream(path, response);
    counted.requests++;
    counted.commands += path.length > 0 ? (body as unknown[]).length : 1;
    const answered = await requester
      .request({ ...(path.length > 0 ? { path } : {}), body })
      .catch((error: Error) => ({ error: error.message }));
    return reply(response, 'error' in answered ? 400 : 200, answered);
  };
  const stream = async (path: string[], response: ServerResponse) => {
    const ended = new AbortController();
    response.on('close', () => ended.abort());
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    await requester.request({ path, body: [], signal: ended.signal, onMessage: (data) => void response.write(`data: ${data}\n\n`) });
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: TOKEN,
    /** Number of requests since the start. */
    counted: () => ({ ...counted }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};

const reply = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};
