import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Peer } from './gateway-events.ts';
import { watchFrames } from './watch-frames.ts';
import type { SocketLimits } from './limits.ts';

export type SocketConnection = {
  peer: Peer;
  lastActiveAt(): number;
  /** `full`: the client does not read what was already sent. */
  post(data: Buffer): 'sent' | 'gone' | 'full';
  close(code: number, reason: string): void;
  terminate(): void;
};
export type SocketMessage = { text: string; isBase64Encoded: boolean };
type Care = {
  binary: boolean;
  onMessage: (message: SocketMessage) => Promise<void>;
  /** Nothing can be sent any more. */
  onClosing: () => void;
  onClosed: (code: number, reason: string) => void;
};

const NO_STATUS = 1005;
const NOT_TEXT = 1003;
const TOO_LONG = 1009;
const CODES: Record<string, number> = { WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: TOO_LONG, WS_ERR_INVALID_UTF8: 1007 };

class OpenConnection implements SocketConnection {
  readonly peer: Peer;
  readonly #socket: WebSocket;
  readonly #limits: SocketLimits;
  readonly #care: Care;
  readonly #idle: NodeJS.Timeout;
  readonly #life: NodeJS.Timeout;
  #lastActiveAt = Date.now();
  #handling = 0;
  #closing: { code: number; reason: string } | null = null;

  constructor(socket: WebSocket, raw: Socket, peer: Peer, limits: SocketLimits, care: Care) {
    this.peer = peer;
    this.#socket = socket;
    this.#limits = limits;
    this.#care = care;
    this.#idle = setTimeout(() => this.close(1001, 'Going away'), limits.idleMs);
    this.#life = setTimeout(() => this.close(1001, 'Going away'), limits.lifeMs);
    this.#listen(raw);
  }

  // A field, because callers take it out of the connection.
  readonly lastActiveAt = () => this.#lastActiveAt;

  post(data: Buffer): 'sent' | 'gone' | 'full' {
    if (this.#socket.readyState !== this.#socket.OPEN) return 'gone';
    if (this.#socket.bufferedAmount + data.length > this.#limits.bufferBytes) return 'full';
    this.#touch();
    send(this.#socket, data, this.#limits.frameBytes);
    return 'sent';
  }

  close(code: number, reason: string) {
    if (this.#closing !== null) return;
    this.#closing = { code, reason };
    this.#care.onClosing();
    this.#socket.close(code, reason);
    setTimeout(() => this.terminate(), this.#limits.closeMs).unref(); // a client that does not read will not confirm the close
  }

  terminate() {
    this.#socket.terminate();
  }

  #listen(raw: Socket) {
    raw.prependListener(
      'data',
      watchFrames(this.#limits.frameBytes, () => this.close(TOO_LONG, 'Frame too long')),
    );
    this.#socket.on('message', (data: Buffer, isBinary) => this.#onMessage(data, isBinary));
    this.#socket.on('error', (error: Error & { code?: string }) => {
      this.#closing ??= { code: CODES[error.code ?? ''] ?? 1006, reason: error.message };
    });
    this.#socket.on('close', (code, reason) => this.#onClose(code, reason));
  }

  #onMessage(data: Buffer, isBinary: boolean) {
    if (this.#closing !== null) return;
    this.#touch();
    if (isBinary && !this.#care.binary) this.close(NOT_TEXT, 'Binary messages are not supported');
    else void this.#take({ text: data.toString(isBinary ? 'base64' : 'utf8'), isBase64Encoded: isBinary });
  }

  async #take(message: SocketMessage): Promise<void> {
    if (++this.#handling >= this.#limits.concurrency) this.#socket.pause();
    await this.#care.onMessage(message);
    if (--this.#handling < this.#limits.concurrency) this.#socket.resume();
  }

  #touch() {
    this.#lastActiveAt = Date.now();
    this.#idle.refresh();
  }

  #onClose(code: number, reason: Buffer) {
    clearTimeout(this.#idle);
    clearTimeout(this.#life);
    this.#care.onClosing();
    const given = code === NO_STATUS ? 'Client-side close frame status not set' : reason.toString();
    this.#care.onClosed(this.#closing?.code ?? code, this.#closing?.reason ?? given);
  }
}

/** One open socket with the limits of API Gateway. */
export const openConnection = (socket: WebSocket, raw: Socket, peer: Peer, limits: SocketLimits, care: Care): SocketConnection =>
  new OpenConnection(socket, raw, peer, limits, care);

/** Sends text as text frames, in frames of the allowed size. */
const send = (socket: WebSocket, data: Buffer, frameBytes: number) => {
  const binary = !isUtf8(data);
  for (let at = 0; at === 0 || at < data.length; at += frameBytes)
    socket.send(data.subarray(at, at + frameBytes), { binary, fin: at + frameBytes >= data.length });
};
