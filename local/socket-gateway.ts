import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import type { AwsKey } from './aws-key.ts';
import type { Upgrades } from './gateway.ts';
import { createCalls, type SocketHandler, statusOf } from './socket-gateway/calls.ts';
import { type SocketConnection, type SocketMessage, openConnection } from './socket-gateway/connection.ts';
import { connectEvent, disconnectEvent, messageEvent, type Peer } from './socket-gateway/gateway-events.ts';
import { SOCKET_LIMITS, type SocketLimits } from './socket-gateway/limits.ts';
import { createManagement } from './socket-gateway/management.ts';
import { idOf, pathOf, routeOf } from './socket-gateway/addresses.ts';

export type SocketGatewayOptions = {
  handler: SocketHandler;
  /** The credentials that may use `@connections`. */
  key: AwsKey;
  /** The path at which clients connect, with `@connections` below it; without its slash it is the name of the stage. */
  path?: string;
  /** The values of a message's `action` that have a route; any other message goes to `$default`. */
  routes?: readonly string[];
  /**
   * API Gateway closes a connection that sends a binary message (1003). If true, the message becomes an event in Base64, as in
   * emulators.
   */
  binary?: boolean;
  limits?: Partial<SocketLimits>;
  onError?: (error: unknown) => void;
};
export type SocketGateway = Upgrades & {
  /** Handles requests to `@connections`. Returns false for any other request. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  /** Closes all open sockets; their clients may reconnect. */
  disconnectAll(): void;
  /** The number of open sockets. */
  size(): number;
  /** Must be called before the HTTP server is closed, because that waits for its sockets. */
  close(): Promise<void>;
};

const GOING_AWAY = [1001, 'Going away'] as const;

/**
 * Does for WebSockets what API Gateway does. Each message is its own handler call, started at once: two messages of a connection are
 * handled concurrently and may finish in any order.
 */
export const createSocketGateway = (options: SocketGatewayOptions): SocketGateway => {
  const { path = '/ws', routes = [], binary = false, onError = () => {} } = options;
  const limits = { ...SOCKET_LIMITS, ...options.limits };
  const { call, running } = createCalls(options.handler, limits.timeoutMs, onError);
  const connections = new Set<SocketConnection>();
  const reachable = new Map<string, SocketConnection>();
  const peers = new WeakMap<IncomingMessage, Peer>();
  let closed = false;

  const connect = async (request: IncomingMessage): Promise<number> => {
    const peer = peerOf(request, path.slice(1));
    peers.set(request, peer);
    const status = statusOf(await call(connectEvent(peer, request)));
    if (status < 300 && request.socket.destroyed) void call(disconnectEvent(peer, 1006, ''));
    return status;
  };

  const takeMessage = async (peer: Peer, { text, isBase64Encoded }: SocketMessage) => {
    const event = messageEvent(peer, isBase64Encoded ? '$default' : routeOf(text, routes), text, isBase64Encoded);
    const { kind } = await call(event);
    if (kind === 'answered') return; // without a route response, the result is discarded
    const { connectionId, requestId } = event.requestContext;
    const message = kind === 'late' ? 'Endpoint request timed out' : 'Internal server error';
    reachable.get(connectionId)?.post(Buffer.from(JSON.stringify({ message, connectionId, requestId })));
  };

  const open = (socket: WebSocket, request: IncomingMessage) => {
    const peer = peers.get(request) ?? peerOf(request, path.slice(1));
    const connection = openConnection(socket, request.socket, peer, limits, {
      binary,
      onMessage: (message) => takeMessage(peer, message),
      onClosing: () => reachable.delete(peer.connectionId),
      onClosed: (code, reason) => {
        connections.delete(connection);
        void call(disconnectEvent(peer, code, reason));
      },
    });
    connections.add(connection);
    reachable.set(peer.connectionId, connection);
    if (closed) connection.close(...GOING_AWAY);
  };

  const disconnectAll = () => connections.forEach((connection) => connection.close(...GOING_AWAY));

  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.messageBytes,
    handleProtocols: () => false,
    // ws calls this after it has validated the handshake.
    verifyClient: ({ req }, decide) => void connect(req).then((status) => decide(status < 300, status), onError),
  });
  const management = createManagement({ key: options.key, messageBytes: limits.messageBytes, find: (id) => reachable.get(id) });

  return {
    wants: (request) => pathOf(request) === path && request.headers.upgrade?.toLowerCase() === 'websocket',
    take: (request, socket: Duplex, head) => {
      if (closed) socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
      else if (pathOf(request) !== path) socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
      else server.handleUpgrade(request, socket, head, open);
    },
    serve: async (request, response) => {
      const id = idOf(pathOf(request), path);
      if (id !== null) await management(id, request, response);
      return id !== null;
    },
    size: () => reachable.size,
    disconnectAll,
    close: async () => {
      closed = true;
      disconnectAll();
      await patiently(() => connections.size + running() === 0, limits.closeMs);
      for (const connection of connections) connection.terminate();
      await patiently(() => connections.size + running() === 0, limits.closeMs);
    },
  };
};

const patiently = async (isDone: () => boolean, mostMs: number) => {
  for (const end = performance.now() + mostMs; !isDone() && performance.now() < end; ) await pause(5);
};

const peerOf = (request: IncomingMessage, stage: string): Peer => ({
  connectionId: `${randomBytes(11).toString('base64url')}=`, // has the length of those of API Gateway
  connectedAt: Date.now(),
  domainName: request.headers.host ?? 'localhost',
  stage,
  identity: {
    sourceIp: request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1',
    ...(request.headers['user-agent'] ? { userAgent: request.headers['user-agent'] } : {}),
  },
});
