import type { Event } from '../../../schema/events.ts';
import { LIVE_LIMITS, type ServerFrame, type Topic } from '../../../schema/live.ts';

/** Bytes for the events of a frame, without the envelope around them. */
const ROOM = LIVE_LIMITS.push_bytes - 200;

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** Events of one task in order, in as few frames as possible. At an event that is too large, a `resync` frame sends the client to HTTP. */
export const eventFrames = (topic: Topic, events: readonly Event[]): Extract<ServerFrame, { type: 'events' | 'resync' }>[] => {
  const frames: Extract<ServerFrame, { type: 'events' }>[] = [];
  let room = 0;
  for (const event of events) {
    const bytes = bytesOf(event) + 1;
    if (bytes > ROOM) return [...frames, { type: 'resync', topic, after_seq: event.seq - 1 }];
    const last = frames.at(-1);
    if (last === undefined || bytes > room) {
      frames.push({ type: 'events', topic, events: [event] });
      room = ROOM - bytes;
    } else {
      last.events.push(event);
      room -= bytes;
    }
  }
  return frames;
};
