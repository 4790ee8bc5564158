import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogChunks } from '../../../worker-agent/src/report/log-chunks.ts';
import { Redactor } from '../../../worker-agent/src/redaction/redactor.ts';
import { secretsOf } from '../../../worker-agent/src/redaction/secrets.ts';
import { cuts, innocent, leaks, PRINTS, SECRETS, splits } from '../support/secrets.ts';

const redactor = new Redactor(SECRETS);

const passed = (text: string, at: readonly number[], of = redactor): Buffer => {
  const stream = of.stream();
  const parts = splits(Buffer.from(text), at).map((piece) => stream.write(piece));
  return Buffer.concat([...parts, stream.end()]);
};

const logged = (text: string, at: readonly number[]): string => {
  const chunks = new LogChunks({ capBytes: 1_000_000, redactor });
  const taken = splits(Buffer.from(text), at).flatMap((piece) => {
    chunks.write('stdout', piece);
    return chunks.take();
  });
  chunks.end();
  return [...taken, ...chunks.take()].map(({ content }) => content).join('');
};

describe('redaction', () => {
  it('lets no secret through, however it is printed and wherever the text is split', { timeout: 120_000 }, () => {
    const print = fc.constantFrom(...Object.keys(PRINTS));
    fc.assert(
      fc.property(fc.constantFrom(...SECRETS), print, innocent, innocent, innocent, cuts, (secret, how, before, after, around, at) => {
        const text = `${around}${PRINTS[how]?.(`${before}${secret}${after}`)}${around}`;

        const outputs = [passed(text, at).toString(), logged(text, at)];

        for (const output of outputs) {
          expect(leaks(output, secret), `${how}: ${text} -> ${output}`).toBe(false);
          expect(output).toContain('[redacted]');
        }
      }),
      { numRuns: 10_000 },
    );
  });

  it('leaves data without a secret unchanged, byte for byte', { timeout: 60_000 }, () => {
    const near = fc.constantFrom(...SECRETS).chain((secret) => fc.nat(5).map((length) => secret.slice(0, length)));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.oneof(near, innocent), { maxLength: 8 }).map((parts) => Uint8Array.from(Buffer.from(parts.join('\n')))),
    );
    fc.assert(
      fc.property(bytes, cuts, (given, at) => {
        const stream = redactor.stream();
        const parts = splits(given, at).map((piece) => stream.write(piece));

        expect(Buffer.concat([...parts, stream.end()])).toEqual(Buffer.from(given));
      }),
      { numRuns: 5_000 },
    );
  });

  it('replaces only the secret', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SECRETS.slice(0, 5)), innocent, innocent, cuts, (secret, before, after, at) => {
        expect(passed(`${before}${secret}${after}`, at).toString()).toBe(`${before}[redacted]${after}`);
      }),
    );
  });

  it('leaves no part of overlapping secrets, or of one that is repeated without limit', () => {
    const overlapping = new Redactor(['abcdefghij', 'ghijklmnop']);

    expect(passed('xabcdefghijklmnopx', [4, 9, 12], overlapping).toString()).toBe('x[redacted]x');
    expect(passed(`x${'a'.repeat(12)}x`, [12, 12]).toString()).toBe('x[redacted]x');
    expect(passed(`x${'a'.repeat(200_000)}x`, [5, 70_000], overlapping).toString()).toHaveLength(200_002);
    expect(passed(`x${'a'.repeat(200_000)}x`, [5, 70_000]).toString()).toBe('x[redacted]x');
  });

  it('treats no word of fewer than eight characters as a secret', () => {
    const short = new Redactor(['secret', 'a', '', '  true  ']);

    expect(short.text('a secret that is true')).toBe('a secret that is true');
  });

  it('replaces keys, strings and numbers of a JSON value, and leaves the rest unchanged', () => {
    const numbers = new Redactor(['1234567890', 'the-password']);

    expect(numbers.json({ 'the-password': [1234567890, 12, true, null, { a: 'is the-password!' }] })).toEqual({
      '[redacted]': ['[redacted]', 12, true, null, { a: 'is [redacted]!' }],
    });
  });

  it('recognizes a secret that is added while a stream is open', () => {
    const learning = new Redactor(['first-secret']);
    const stream = learning.stream();
    const parts = [stream.write(Buffer.from('a first-sec'))];

    learning.add('second-secret');
    parts.push(stream.write(Buffer.from('ret and a second-')), stream.write(Buffer.from('secret')), stream.end());

    expect(Buffer.concat(parts).toString()).toBe('a [redacted] and a [redacted]');
  });

  it('finds the values of variables that have the name of a secret', () => {
    const env = {
      GH_TOKEN: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      CLIENT_SECRET: 'c',
      PGPASSWORD: 'd',
      api_key: 'e',
      KEYBOARD: 'f',
      TOKENS: 'g',
    };

    expect(secretsOf(env)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it.each([
    ['http://me:pass%20word@proxy:3128', ['pass%20word', 'pass word']],
    ['socks5h://:p:a@ss@proxy/', ['p:a@ss']],
    ['me:plain@proxy:3128', ['plain']],
    ['http://me:100%@proxy', ['100%']],
    ['http://me@proxy:3128', []],
    ['http://proxy:3128/a:b@c', []],
    ['git@host:group/repo', []],
  ])('takes the password in the address %s, as it stands there and as it is meant', (address, secrets) => {
    expect(secretsOf({ https_proxy: address })).toEqual(secrets);
  });
});
