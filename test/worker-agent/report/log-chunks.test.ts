import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogChunkSpec } from '../../../schema/log.ts';
import { cleanJson, cleanText, clip } from '../../../worker-agent/src/report/clean.ts';
import { LogChunks } from '../../../worker-agent/src/report/log-chunks.ts';
import { folded } from '../../../worker-agent/src/report/progress-lines.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '\r', '\n'), maxLength: 60 }),
);
const rawUnits = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 }).map((units) => String.fromCharCode(...units));
/** The text as a terminal finally shows it: the last state of each line. */
const seen = (text: string) =>
  text
    .split(/(?<=\n)/)
    .map(folded)
    .join('');
const textOf = (chunks: readonly LogChunkSpec[], stream: string) =>
  chunks
    .filter((it) => it.stream === stream)
    .map(({ content }) => content)
    .join('');

describe('log chunks', () => {
  it('contain the text of each stream, however its bytes were split, numbered from 0 without gaps', () => {
    fc.assert(
      fc.property(anyText, fc.array(fc.nat(50), { maxLength: 10 }), fc.integer({ min: 4, max: 40 }), (text, cuts, chunkBytes) => {
        const chunks = new LogChunks({ capBytes: 100_000, chunkBytes });
        const bytes = Buffer.from(text);
        const taken: LogChunkSpec[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.write('stdout', bytes.subarray(at, at + cut));
          at += cut;
          if (cut % 3 === 0) taken.push(...chunks.take());
        }
        chunks.write('stdout', bytes.subarray(at));
        chunks.end();
        taken.push(...chunks.take());

        expect(seen(textOf(taken, 'stdout'))).toBe(seen(cleanText(text)));
        expect(taken.map(({ chunk }) => chunk)).toEqual(taken.map((_, place) => place));
        for (const { content } of taken) expect(Buffer.byteLength(content)).toBeLessThanOrEqual(chunkBytes);
      }),
    );
  });

  it('keep only the last state of an overwritten line, even if it arrives in many pieces', () => {
    const chunks = new LogChunks({ capBytes: 1_000 });
    const taken = ['fetching\n', '\r 1%', '\r 50', '%\r99%\r', '\r\u001b[32m100%\u001b[0m', '\ndone\r\n'].flatMap((piece) => {
      chunks.write('stderr', piece);
      return chunks.take();
    });

    expect(taken.map(({ content }) => content)).toEqual(['fetching\n', '\u001b[32m100%\u001b[0m\ndone\r\n']);
  });

  it('contain an incomplete line, and begin with a carriage return when its rest overwrites it', () => {
    const chunks = new LogChunks({ capBytes: 1_000 });
    const taken = ['waiting', ' for it', '\rready', '\rreally ready\n', 'next\n'].flatMap((piece) => {
      chunks.write('stdout', piece);
      return chunks.take();
    });

    expect(taken.map(({ content }) => content)).toEqual(['waiting', ' for it', '\rreally ready\n', 'next\n']);
  });

  it('hold back the last state of a line that never ends until the output ends', () => {
    const chunks = new LogChunks({ capBytes: 1_000 });
    chunks.write('stdout', 'a\rb\rc');
    const before = chunks.take();

    chunks.end();

    expect(before).toEqual([]);
    expect(textOf(chunks.take(), 'stdout')).toBe('c');
  });

  it('keep the order of two streams that take turns', () => {
    const chunks = new LogChunks({ capBytes: 1_000 });

    chunks.write('stdout', 'a');
    chunks.write('stderr', 'b');
    chunks.write('stdout', 'c');
    chunks.write('stdout', 'd');

    expect(chunks.take().map(({ stream, content }) => [stream, content])).toEqual([
      ['stdout', 'a'],
      ['stderr', 'b'],
      ['stdout', 'cd'],
    ]);
  });

  it('do not split a character whose bytes arrive in two writes with another stream between them', () => {
    const chunks = new LogChunks({ capBytes: 1_000 });
    const [head, tail] = [Buffer.from('中').subarray(0, 1), Buffer.from('中').subarray(1)];

    chunks.write('stdout', head);
    chunks.write('stderr', 'x');
    chunks.write('stdout', tail);

    expect(textOf(chunks.take(), 'stdout')).toBe('中');
  });

  it('end with one marker when there is more than the cap', () => {
    const chunks = new LogChunks({ capBytes: 10 });

    for (let count = 0; count < 20; count++) chunks.write('stdout', 'four');
    chunks.end();
    const taken = chunks.take();

    expect(textOf(taken, 'stdout')).toBe('fourfourfo');
    expect(taken.filter(({ stream }) => stream === 'system')).toHaveLength(1);
    expect(taken.at(-1)?.content).toContain('dropped');
    expect(chunks.droppedBytes).toBe(70);
  });

  it('never get a number that the server refuses', () => {
    const chunks = new LogChunks({ capBytes: 10_000_000 });

    for (let count = 0; count < 10_500; count++) chunks.write(count % 2 ? 'stdout' : 'stderr', 'x');
    const taken = chunks.take();

    expect(taken).toHaveLength(10_000);
    expect(taken.at(-1)).toMatchObject({ chunk: 9_999, stream: 'system' });
    expect(chunks.droppedBytes).toBe(501);
  });
});

describe('cleaning', () => {
  it('removes U+0000 and unpaired surrogates, and leaves valid text unchanged', () => {
    fc.assert(
      fc.property(rawUnits, (text) => {
        const cleaned = cleanText(text);
        expect(cleaned).not.toContain('\u0000');
        expect(cleaned.isWellFormed()).toBe(true);
        expect(cleanText(cleaned)).toBe(cleaned);
      }),
    );
  });

  it('keeps JSON values and keys, except for what the server refuses', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const expected = JSON.parse(JSON.stringify(value));
        if (!JSON.stringify(value).match(/\\u0000|\\ud|__proto__/i)) expect(cleanJson(value)).toEqual(expected);
      }),
    );
    expect(cleanJson({ a: undefined, b: Number.NaN, c: [undefined], d: -0 })).toEqual({ b: null, c: [null], d: 0 });
  });

  it('clips between characters', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 50 }), fc.constantFrom('head' as const, 'tail' as const), (text, length, keep) => {
        const clipped = clip(text, length, keep);
        expect(clipped.length).toBeLessThanOrEqual(length);
        expect(cleanText(text)[keep === 'head' ? 'startsWith' : 'endsWith'](clipped)).toBe(true);
      }),
    );
  });
});
