import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventFrames } from '../../../functions/domain/live/frames.ts';
import type { Event } from '../../../schema/events.ts';

/** API Gateway bills each started 32 KB, and splits longer messages. */
const MOST_BYTES = 32_000;
const TOPIC = 'task:00000000-0000-4000-8000-000000000000';

const eventOf = (seq: number, length: number) => ({ seq, message: 'x'.repeat(length) }) as unknown as Event;
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

describe('frames of events', () => {
  it('contain all events in order, and none is longer than the gateway carries in one frame', () => {
    const lengths = fc.array(fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 15_000, max: 31_000 })), { maxLength: 60 });

    fc.assert(
      fc.property(lengths, (all) => {
        const frames = eventFrames(
          TOPIC,
          all.map((length, at) => eventOf(at + 1, length)),
        );

        expect(frames.every((frame) => frame.type === 'events' && bytesOf(frame) <= MOST_BYTES)).toBe(true);
        const numbers = frames.flatMap((frame) => (frame.type === 'events' ? frame.events.map(({ seq }) => seq) : []));
        expect(numbers).toEqual(all.map((_, at) => at + 1));
      }),
    );
  });

  it('are few: events that fit into one frame are sent together', () => {
    const events = Array.from({ length: 100 }, (_, at) => eventOf(at + 1, 1_000));

    expect(eventFrames(TOPIC, events)).toHaveLength(4);
  });

  it('end before an event that is too long for a frame, and refer the client to HTTP for it', () => {
    const events = [eventOf(7, 10), eventOf(8, MOST_BYTES), eventOf(9, 10)];

    expect(eventFrames(TOPIC, events)).toEqual([
      { type: 'events', topic: TOPIC, events: [events[0]] },
      { type: 'resync', topic: TOPIC, after_seq: 7 },
    ]);
  });
});
