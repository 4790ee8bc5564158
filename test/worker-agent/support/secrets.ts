import fc from 'fast-check';

/** Typical secrets, and secrets with the characters that each encoding escapes. */
export const SECRETS = [
  'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
  'sk-proj-Zx9/+==qT&u?v',
  'p@ss "word" with\\slashes/ & <tags>',
  'пароль-日本語-🔑-geheim',
  "it's(100%)~*!$sure;",
  'MIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIB',
  'aaaaaaaaab',
  'aaaaaaaaaa',
  'tok\ten\u0001with-controls',
  'W8xQ3mZk',
];

const percent = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const quoted = (text: string) => [...text].map((it) => (/[A-Za-z0-9_.~-]/.test(it) ? it : percent(it).toUpperCase())).join('');
const ascii = (json: string) => json.replace(/[\u007f-\uffff]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`);
const wrapped = (text: string, width: number) => text.replace(new RegExp(`(.{${width}})`, 'g'), '$1\n');

/** The forms in which a text that contains a secret may be printed. */
export const PRINTS: Record<string, (text: string) => string> = {
  plain: (text) => text,
  url: encodeURIComponent,
  'url, strict': quoted,
  'url, as a form': (text) => new URLSearchParams({ q: text }).toString(),
  base64: (text) => Buffer.from(text).toString('base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  'base64 in lines': (text) => wrapped(Buffer.from(text).toString('base64'), 19),
  json: (text) => JSON.stringify({ text }),
  'json in ascii': (text) => ascii(JSON.stringify([text])),
  'json in json': (text) => JSON.stringify({ line: JSON.stringify({ text }) }),
};

const tryTo = (decode: () => string): string => {
  try {
    return decode();
  } catch {
    return '';
  }
};

const unescaped = (text: string) => text.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
const views = (piece: string): string[] => {
  const packed = piece.replace(/[\r\n]/g, '');
  return [
    piece,
    tryTo(() => decodeURIComponent(piece.replaceAll('+', ' ').replace(/%(?![0-9a-f]{2})/gi, '%25'))),
    unescaped(piece),
    ...[0, 1, 2, 3].map((phase) => Buffer.from(packed.slice(phase), 'base64').toString()),
  ];
};

/** Whether six or more characters of a secret can be read from the output. */
export const leaks = (printed: string, secret: string): boolean => {
  const seen = printed.split('[redacted]').flatMap(views);
  for (let at = 0; at + 6 <= secret.length; at++) if (seen.some((view) => view.includes(secret.slice(at, at + 6)))) return true;
  return false;
};

/** Bytes cut into pieces at random positions, some of them empty. */
export const splits = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, at) => bytes.subarray(places[at], end));
};

export const cuts = fc.array(fc.nat(4_000), { maxLength: 12 });
/** Text that shares no six characters with a secret. */
export const innocent = fc.string({
  unit: fc.constantFrom(...'Ä Ö Ü { } : , . [ ] 0 5 7 9 x y z = |'.split(' '), ' ', '\n'),
  maxLength: 40,
});
