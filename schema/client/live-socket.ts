import { AROUND, backoffMs, jittered } from './backoff.ts';
import { ApiError } from './client.ts';
import { type ClientFrame, ServerFrame } from '../live.ts';
import { WakeableTimer } from './wakeable-timer.ts';

export const SOCKET_CLOCKS = {
  openMs: 10_000,
  /** No answer for so long means that the socket is cut, whatever TCP says. */
  answerMs: 10_000,
  /** API Gateway closes what is silent for 10 minutes, and a flush of Redis is mended at the next beat. */
  beatMs: 40_000,
  retryMs: 500,
  longestRetryMs: 30_000,
};
export type SocketClocks = typeof SOCKET_CLOCKS;

export type LiveSocketOptions = {
  ticket(signal: AbortSignal): Promise<{ url: string }>;
  /** What to say when the socket opens and at each beat; the answer is `subscribed` or `pong`. */
  say(isLive: boolean): ClientFrame;
  onFrame(frame: ServerFrame): void;
  /** True at the first answer, false when a socket that was live is cut. */
  onLive(isLive: boolean): void;
  /** There is no ticket. It is tried again all the same. */
  onRefused?(error: unknown): void;
  signal: AbortSignal;
  /** Left out, that of the browser or of Node; null means none. */
  WebSocket?: typeof WebSocket | null | undefined;
  clocks?: Partial<SocketClocks> | undefined;
};

/** Keeps a socket open until the signal: after any cut a new one, with a new ticket. Throws nothing; without WebSockets it does nothing. */
export const keepSocket = async (options: LiveSocketOptions): Promise<void> => {
  const { signal } = options;
  const clocks = { ...SOCKET_CLOCKS, ...options.clocks };
  const Socket = options.WebSocket === undefined ? (globalThis.WebSocket as typeof WebSocket | undefined) : options.WebSocket;
  if (!Socket) return;
  for (let failures = 0; !signal.aborted; ) {
    let retryAfterMs = 0;
    try {
      const { url } = await options.ticket(signal);
      failures = (await serve(() => new Socket(url), options, clocks)) ? 0 : failures + 1;
    } catch (error) {
      failures++;
      retryAfterMs = (error instanceof ApiError ? error.retryAfterMs : null) ?? 0;
      if (!signal.aborted) options.onRefused?.(error);
    }
    const backoff = { baseMs: clocks.retryMs, maxMs: clocks.longestRetryMs, jitter: AROUND };
    // A socket that was live and is cut counts as the first failure.
    await new WakeableTimer().wait(backoffMs(failures + 1, backoff, Math.min(retryAfterMs, clocks.longestRetryMs)), signal);
  }
};

/** Serves one socket until it is cut; answers whether it was live. */
const serve = (open: () => WebSocket, options: LiveSocketOptions, clocks: SocketClocks): Promise<boolean> =>
  new Promise((resolve) => {
    const { signal, say, onFrame, onLive } = options;
    const socket = open();
    const ended = new AbortController();
    let isLive = false;
    let timer = setTimeout(() => end(), clocks.openMs);
    const after = (ms: number, next: () => void) => {
      clearTimeout(timer);
      timer = setTimeout(next, ms);
    };
    const end = () => {
      ended.abort();
      clearTimeout(timer);
      socket.close();
      if (isLive) onLive(false);
      resolve(isLive);
    };
    const speak = () => {
      after(clocks.answerMs, end);
      socket.send(JSON.stringify(say(isLive)));
    };
    const hear = ({ data }: MessageEvent<unknown>) => {
      const frame = parse(data);
      if (frame === null) return;
      if (frame.type === 'error') return end();
      onFrame(frame);
      if (frame.type !== 'subscribed' && frame.type !== 'pong') return;
      after(jittered(clocks.beatMs), speak);
      if (isLive) return;
      isLive = true;
      onLive(true);
    };
    socket.binaryType = 'arraybuffer';
    const until = { signal: ended.signal };
    socket.addEventListener('open', speak, until);
    socket.addEventListener('message', hear, until);
    socket.addEventListener('error', end, until);
    socket.addEventListener('close', end, until);
    signal.addEventListener('abort', end, until);
    if (signal.aborted) end();
  });

/** Null for what this version does not know. */
const parse = (data: unknown): ServerFrame | null => {
  try {
    const text = typeof data === 'string' ? data : new TextDecoder().decode(data as ArrayBuffer);
    return ServerFrame.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
};
