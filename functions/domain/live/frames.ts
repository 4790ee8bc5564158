import type { Event } from '../../../schema/events.ts';
import type { ServerFrame, Topic } from '../../../schema/live.ts';

/** API Gateway meters each 32 KB begun and cuts what is longer. */
const LONGEST = 32_000;

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** Events of one task in order, in as few frames as fit; from one that is too large on, the client is told to read by HTTP. */
export const eventFrames = (topic: Topic, events: readonly Event[]): Extract<ServerFrame, { type: 'events' | 'resync' }>[] => {
  const frames: Extract<ServerFrame, { type: 'events' }>[] = [];
  let room = 0;
  for (const event of events) {
    const bytes = bytesOf(event) + 1;
    if (bytes > LONGEST - 200) return [...frames, { type: 'resync', topic, after_seq: event.seq - 1 }];
    const last = frames.at(-1);
    if (last === undefined || bytes > room) {
      frames.push({ type: 'events', topic, events: [event] });
      room = LONGEST - 200 - bytes;
    } else {
      last.events.push(event);
      room -= bytes;
    }
  }
  return frames;
};
