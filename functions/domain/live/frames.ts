import type { Event } from '../../../schema/events.ts';
import { LIVE_LIMITS, type ServerFrame, type Topic } from '../../../schema/live.ts';

/** Room for the events of a frame, without what stands around them. */
const ROOM = LIVE_LIMITS.push_bytes - 200;

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** Events of one task in order, in as few frames as fit; from one that is too large on, the client is told to read by HTTP. */
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
