import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { APIGatewayEventWebsocketRequestContextV2, APIGatewayProxyWebsocketEventV2WithRequestContext } from 'aws-lambda';
import { logTime } from '../gateway/event.ts';

export type SocketEvent = APIGatewayProxyWebsocketEventV2WithRequestContext<
  APIGatewayEventWebsocketRequestContextV2 & {
    identity: ClientIdentity;
    disconnectStatusCode?: number;
    disconnectReason?: string;
  }
> & { headers?: Record<string, string>; multiValueHeaders?: Record<string, string[]> };
export type ClientIdentity = { sourceIp: string; userAgent?: string };
/** What a connection's first request states about it. */
export type Peer = { connectionId: string; connectedAt: number; domainName: string; stage: string; identity: ClientIdentity };

type Kind = Pick<SocketEvent['requestContext'], 'eventType' | 'routeKey'> & Partial<SocketEvent['requestContext']>;

const contextOf = (peer: Peer, kind: Kind) => {
  const now = new Date();
  const requestId = randomUUID();
  const { identity, ...known } = peer;
  // The types require a messageId in every event, but only messages have one.
  return {
    ...kind,
    ...known,
    identity,
    extendedRequestId: requestId,
    requestId,
    requestTime: logTime(now),
    requestTimeEpoch: now.getTime(),
    messageDirection: 'IN',
    apiId: 'local',
  } as SocketEvent['requestContext'];
};

const grouped = (pairs: Iterable<readonly [string, string]>): Map<string, string[]> => {
  const groups = new Map<string, string[]>();
  for (const [name, value] of pairs) groups.set(name, [...(groups.get(name) ?? []), value]);
  return groups;
};

/** If a name is repeated, the single-value form has the last value. */
const forms = (groups: Map<string, string[]>) => ({
  single: Object.fromEntries([...groups].map(([name, values]) => [name, values.at(-1) ?? ''])),
  multi: Object.fromEntries(groups),
});

const queryOf = (request: IncomingMessage) => {
  const parameters = grouped(new URLSearchParams((request.url ?? '').split('?').slice(1).join('?')));
  if (parameters.size === 0) return {};
  const { single, multi } = forms(parameters);
  return { queryStringParameters: single, multiValueQueryStringParameters: multi };
};

const headersOf = (pairs: Iterable<readonly [string, string]>) => {
  const { single, multi } = forms(grouped(pairs));
  return { headers: single, multiValueHeaders: multi };
};

/** Names keep the case in which they were sent, unlike those of an HTTP API. */
const rawHeaders = ({ rawHeaders: raw }: IncomingMessage) =>
  raw.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name, raw[at + 1] ?? '']] : []));

export const connectEvent = (peer: Peer, request: IncomingMessage): SocketEvent => ({
  ...headersOf(rawHeaders(request)),
  ...queryOf(request),
  requestContext: contextOf(peer, { routeKey: '$connect', eventType: 'CONNECT' }),
  isBase64Encoded: false,
});

export const messageEvent = (peer: Peer, routeKey: string, body: string, isBase64Encoded: boolean): SocketEvent => ({
  requestContext: contextOf(peer, { routeKey, eventType: 'MESSAGE', messageId: randomUUID() }),
  body,
  isBase64Encoded,
});

export const disconnectEvent = (peer: Peer, disconnectStatusCode: number, disconnectReason: string): SocketEvent => ({
  ...headersOf([
    ['Host', peer.domainName],
    ['x-api-key', ''],
    ['X-Forwarded-For', ''],
    ['x-restapi', ''],
  ]),
  requestContext: contextOf(peer, { routeKey: '$disconnect', eventType: 'DISCONNECT', disconnectStatusCode, disconnectReason }),
  isBase64Encoded: false,
});
