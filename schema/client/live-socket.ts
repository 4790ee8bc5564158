import { AROUND, backoffMs, jittered } from './backoff.ts';
import { ApiError } from './client.ts';
import { type ClientFrame, ServerFrame } from '../live.ts';
import { WakeableTimer } from './wakeable-timer.ts';

export const SOCKET_CLOCKS = {
  openMs: 10_000,
  /** Without a reply for this long, the socket counts as lost, even if TCP reports no error. */
  answerMs: 10_000,
  /** API Gateway closes sockets that are idle for 10 minutes. A beat also restores subscriptions that a Redis flush removed. */
  beatMs: 40_000,
  retryMs: 500,
  longestRetryMs: 30_000,
};
export type SocketClocks = typeof SOCKET_CLOCKS;

export type LiveSocketOptions = {
  ticket(signal: AbortSignal): Promise<{ url: string }>;
  /** The frame to send when the socket opens and at each beat; the reply is `subscribed` or `pong`. */
  say(isLive: boolean): ClientFrame;
  onFrame(frame: ServerFrame): void;
  /** True at the first reply, false when a live socket is lost. */
  onLive(isLive: boolean): void;
  /** Called when no ticket was issued; another attempt follows. */
  onRefused?(error: unknown): void;
  signal: AbortSignal;
  /** If omitted, the WebSocket of the browser or of Node; null for none. */
  WebSocket?: typeof WebSocket | null | undefined;
  clocks?: Partial<SocketClocks> | undefined;
};

/** Keeps a socket open until the signal aborts, and replaces a lost one with a new ticket. Never throws; does nothing without WebSockets. */
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
    // The loss of a live socket counts as the first failure.
    await new WakeableTimer().wait(backoffMs(failures + 1, backoff, Math.min(retryAfterMs, clocks.longestRetryMs)), signal);
  }
};

type ServedSettings = { socket: WebSocket; options: LiveSocketOptions; clocks: SocketClocks; onEnd(wasLive: boolean): void };

class ServedSocket {
  readonly #socket: WebSocket;
  readonly #options: LiveSocketOptions;
  readonly #clocks: SocketClocks;
  readonly #onEnd: (wasLive: boolean) => void;
  readonly #ended = new AbortController();
  #isLive = false;
  #timer: ReturnType<typeof setTimeout>;

  constructor({ socket, options, clocks, onEnd }: ServedSettings) {
    this.#socket = socket;
    this.#options = options;
    this.#clocks = clocks;
    this.#onEnd = onEnd;
    this.#timer = setTimeout(() => this.#end(), clocks.openMs);
  }

  start() {
    const { signal } = this.#options;
    const end = () => this.#end();
    this.#socket.binaryType = 'arraybuffer';
    const until = { signal: this.#ended.signal };
    this.#socket.addEventListener('open', () => this.#speak(), until);
    this.#socket.addEventListener('message', (event) => this.#receive(event), until);
    this.#socket.addEventListener('error', end, until);
    this.#socket.addEventListener('close', end, until);
    signal.addEventListener('abort', end, until);
    if (signal.aborted) end();
  }

  #speak() {
    this.#after(this.#clocks.answerMs, () => this.#end());
    this.#socket.send(JSON.stringify(this.#options.say(this.#isLive)));
  }

  #receive({ data }: MessageEvent<unknown>) {
    const { onFrame, onLive } = this.#options;
    const frame = parse(data);
    if (frame === null) return;
    if (frame.type === 'error') return this.#end();
    onFrame(frame);
    if (frame.type !== 'subscribed' && frame.type !== 'pong') return;
    this.#after(jittered(this.#clocks.beatMs), () => this.#speak());
    if (this.#isLive) return;
    this.#isLive = true;
    onLive(true);
  }

  #end() {
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.#socket.close();
    if (this.#isLive) this.#options.onLive(false);
    this.#onEnd(this.#isLive);
  }

  #after(ms: number, next: () => void) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(next, ms);
  }
}

/** Serves one socket until it is lost; returns whether it was live. */
const serve = (open: () => WebSocket, options: LiveSocketOptions, clocks: SocketClocks): Promise<boolean> =>
  new Promise((onEnd) => {
    new ServedSocket({ socket: open(), options, clocks, onEnd }).start();
  });

/** Null for a frame that this version does not know. */
const parse = (data: unknown): ServerFrame | null => {
  try {
    const text = typeof data === 'string' ? data : new TextDecoder().decode(data as ArrayBuffer);
    return ServerFrame.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
};
