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

class WebSocketGateway implements SocketGateway {
  readonly #path: string;
  readonly #routes: readonly string[];
  readonly #binary: boolean;
  readonly #limits: SocketLimits;
  readonly #calls: ReturnType<typeof createCalls>;
  readonly #connections = new Set<SocketConnection>();
  readonly #reachable = new Map<string, SocketConnection>();
  readonly #peers = new WeakMap<IncomingMessage, Peer>();
  readonly #server: WebSocketServer;
  readonly #management: ReturnType<typeof createManagement>;
  #closed = false;

  constructor({ handler, key, path = '/ws', routes = [], binary = false, limits, onError = () => {} }: SocketGatewayOptions) {
    this.#path = path;
    this.#routes = routes;
    this.#binary = binary;
    this.#limits = { ...SOCKET_LIMITS, ...limits };
    const { timeoutMs, messageBytes } = this.#limits;
    this.#calls = createCalls(handler, timeoutMs, onError);
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: messageBytes,
      handleProtocols: () => false,
      // ws calls this after it has validated the handshake.
      verifyClient: ({ req }, decide) => void this.#connect(req).then((status) => decide(status < 300, status), onError),
    });
    this.#management = createManagement({ key, messageBytes, find: (id) => this.#reachable.get(id) });
  }

  wants(request: IncomingMessage): boolean {
    return pathOf(request) === this.#path && request.headers.upgrade?.toLowerCase() === 'websocket';
  }

  // `take` and `serve` are fields, because callers pass them on without the gateway.
  readonly take = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (this.#closed) socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
    else if (pathOf(request) !== this.#path) socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
    else this.#server.handleUpgrade(request, socket, head, (opened) => this.#open(opened, request));
  };

  readonly serve = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const id = idOf(pathOf(request), this.#path);
    if (id !== null) await this.#management(id, request, response);
    return id !== null;
  };

  size(): number {
    return this.#reachable.size;
  }

  disconnectAll() {
    this.#connections.forEach((connection) => connection.close(...GOING_AWAY));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.disconnectAll();
    const isDone = () => this.#connections.size + this.#calls.running() === 0;
    await patiently(isDone, this.#limits.closeMs);
    for (const connection of this.#connections) connection.terminate();
    await patiently(isDone, this.#limits.closeMs);
  }

  async #connect(request: IncomingMessage): Promise<number> {
    const peer = peerOf(request, this.#path.slice(1));
    this.#peers.set(request, peer);
    const status = statusOf(await this.#calls.call(connectEvent(peer, request)));
    if (status < 300 && request.socket.destroyed) void this.#calls.call(disconnectEvent(peer, 1006, ''));
    return status;
  }

  #open(socket: WebSocket, request: IncomingMessage) {
    const peer = this.#peers.get(request) ?? peerOf(request, this.#path.slice(1));
    const connection = openConnection(socket, request.socket, peer, this.#limits, {
      binary: this.#binary,
      onMessage: (message) => this.#takeMessage(peer, message),
      onClosing: () => this.#reachable.delete(peer.connectionId),
      onClosed: (code, reason) => {
        this.#connections.delete(connection);
        void this.#calls.call(disconnectEvent(peer, code, reason));
      },
    });
    this.#connections.add(connection);
    this.#reachable.set(peer.connectionId, connection);
    if (this.#closed) connection.close(...GOING_AWAY);
  }

  async #takeMessage(peer: Peer, { text, isBase64Encoded }: SocketMessage): Promise<void> {
    const event = messageEvent(peer, isBase64Encoded ? '$default' : routeOf(text, this.#routes), text, isBase64Encoded);
    const { kind } = await this.#calls.call(event);
    if (kind === 'answered') return; // without a route response, the result is discarded
    const { connectionId, requestId } = event.requestContext;
    const message = kind === 'late' ? 'Endpoint request timed out' : 'Internal server error';
    this.#reachable.get(connectionId)?.post(Buffer.from(JSON.stringify({ message, connectionId, requestId })));
  }
}

/**
 * Does for WebSockets what API Gateway does. Each message is its own handler call, started at once: two messages of a connection are
 * handled concurrently and may finish in any order.
 */
export const createSocketGateway = (options: SocketGatewayOptions): SocketGateway => new WebSocketGateway(options);

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
