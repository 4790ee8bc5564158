import { ApiError, type Client } from '../../../../schema/client/client.ts';
import type { Event, EventType } from '../../../../schema/events.ts';
import type { ClientFrame, ServerFrame } from '../../../../schema/live.ts';

export const TASK_ID = '00000000-0000-4000-8000-00000000000a';
/** Reconnects at once; nothing else happens by the clock unless the test sets it. */
export const QUICK = { openMs: 60_000, answerMs: 60_000, beatMs: 1_000_000, retryMs: 1, longestRetryMs: 5 };

/** More than any test needs: a follower that polls without a pause would keep every timer from firing. */
const MOST_POLLS = 5_000;
const TOPIC = `task:${TASK_ID}` as const;

export const eventOf = (seq: number, type: EventType = 'subtask.ready'): Event => ({
  seq,
  type,
  level: 'info',
  message: `event ${seq}`,
  task_id: TASK_ID,
  run: 1,
  subtask_id: null,
  attempt: null,
  worker_id: null,
  data: {},
  request_id: null,
  created_at: '2026-01-01T00:00:00Z',
});
export const eventsOf = (count: number): Event[] => Array.from({ length: count }, (_, at) => eventOf(at + 1));
export const frameOf = (events: readonly Event[]): ServerFrame => ({ type: 'events', topic: TOPIC, events: [...events] });

export const refusal = (code: string, status: number, retryAfterMs: number | null = null) =>
  new ApiError({ type: `urn:x:${code}`, title: code, status, detail: code, code, errors: [], request_id: 'r-1' }, { retryAfterMs });

/** A fake platform with one task: a log of events that can be read, and sockets on which the test sends frames. */
export const fakeLive = (...log: Event[]) => {
  const sockets = new Set<FakeSocket>();
  const received: ClientFrame[] = [];
  const counts = { polls: 0, tickets: 0 };
  const lastSeq = () => log.at(-1)?.seq ?? 0;
  const replay = (afterSeq: number): ServerFrame[] => {
    const missed = log.filter((event) => event.seq > afterSeq);
    return [...(missed.length > 0 ? [frameOf(missed)] : []), { type: 'subscribed', topic: TOPIC, last_seq: lastSeq() }];
  };
  /** Replaceable by the test: which calls fail, and how frames are answered. */
  const edge = {
    poll: (): void => {},
    ticket: (): void => {},
    opens: true,
    answer: (frame: ClientFrame): ServerFrame[] => (frame.action === 'subscribe' ? replay(frame.after_seq ?? 0) : [{ type: 'pong' }]),
  };

  class FakeSocket extends EventTarget {
    constructor() {
      super();
      if (!edge.opens) return;
      queueMicrotask(() => {
        sockets.add(this);
        this.dispatchEvent(new globalThis.Event('open'));
      });
    }

    send(text: string): void {
      const frame = JSON.parse(text) as ClientFrame;
      received.push(frame);
      queueMicrotask(() => edge.answer(frame).forEach((answer) => this.say(answer)));
    }

    say(frame: ServerFrame | string): void {
      this.dispatchEvent(new MessageEvent('message', { data: typeof frame === 'string' ? frame : JSON.stringify(frame) }));
    }

    close(): void {
      if (sockets.delete(this)) this.dispatchEvent(new globalThis.Event('close'));
    }
  }

  const client: Pick<Client, 'listEvents' | 'createTicket'> = {
    listEvents: async ({ query }) => {
      if (++counts.polls > MOST_POLLS) throw new Error(`the follower has polled ${MOST_POLLS} times`);
      edge.poll();
      const { after_seq = 0, limit = 200 } = query ?? {};
      return { items: log.filter(({ seq }) => seq > after_seq).slice(0, limit), last_seq: lastSeq() };
    },
    createTicket: async () => {
      counts.tickets++;
      edge.ticket();
      return { url: `ws://x/?ticket=${counts.tickets}`, expires_at: '2026-01-01T00:00:00Z' };
    },
  };
  return {
    log,
    edge,
    received,
    counts,
    client,
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    isOpen: () => sockets.size > 0,
    say: (frame: ServerFrame | string) => sockets.forEach((socket) => socket.say(frame)),
    cut: () => sockets.forEach((socket) => socket.close()),
  };
};
