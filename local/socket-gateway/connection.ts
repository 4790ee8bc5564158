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

/** One open socket with the limits of API Gateway. */
export const openConnection = (socket: WebSocket, raw: Socket, peer: Peer, limits: SocketLimits, care: Care): SocketConnection => {
  let lastActiveAt = Date.now();
  let handling = 0;
  let closing: { code: number; reason: string } | null = null;

  const terminate = () => socket.terminate();
  const close = (code: number, reason: string) => {
    if (closing !== null) return;
    closing = { code, reason };
    care.onClosing();
    socket.close(code, reason);
    setTimeout(terminate, limits.closeMs).unref(); // a client that does not read will not confirm the close
  };
  const idle = setTimeout(() => close(1001, 'Going away'), limits.idleMs);
  const life = setTimeout(() => close(1001, 'Going away'), limits.lifeMs);
  const touch = () => {
    lastActiveAt = Date.now();
    idle.refresh();
  };
  const take = async (message: SocketMessage) => {
    if (++handling >= limits.concurrency) socket.pause();
    await care.onMessage(message);
    if (--handling < limits.concurrency) socket.resume();
  };

  raw.prependListener(
    'data',
    watchFrames(limits.frameBytes, () => close(TOO_LONG, 'Frame too long')),
  );
  socket.on('message', (data: Buffer, isBinary) => {
    if (closing !== null) return;
    touch();
    if (isBinary && !care.binary) close(NOT_TEXT, 'Binary messages are not supported');
    else void take({ text: data.toString(isBinary ? 'base64' : 'utf8'), isBase64Encoded: isBinary });
  });
  socket.on('error', (error: Error & { code?: string }) => {
    closing ??= { code: CODES[error.code ?? ''] ?? 1006, reason: error.message };
  });
  socket.on('close', (code, reason) => {
    clearTimeout(idle);
    clearTimeout(life);
    care.onClosing();
    const given = code === NO_STATUS ? 'Client-side close frame status not set' : reason.toString();
    care.onClosed(closing?.code ?? code, closing?.reason ?? given);
  });

  return {
    peer,
    lastActiveAt: () => lastActiveAt,
    post: (data) => {
      if (socket.readyState !== socket.OPEN) return 'gone';
      if (socket.bufferedAmount + data.length > limits.bufferBytes) return 'full';
      touch();
      send(socket, data, limits.frameBytes);
      return 'sent';
    },
    close,
    terminate,
  };
};

/** Sends text as text frames, in frames of the allowed size. */
const send = (socket: WebSocket, data: Buffer, frameBytes: number) => {
  const binary = !isUtf8(data);
  for (let at = 0; at === 0 || at < data.length; at += frameBytes)
    socket.send(data.subarray(at, at + frameBytes), { binary, fin: at + frameBytes >= data.length });
};
