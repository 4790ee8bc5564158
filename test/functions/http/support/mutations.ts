import type { Sample } from './samples.ts';

/** A request with one change; `place` is its location, as errors name it. */
export type Mutation = { what: string; place: string; sample: Sample; isWrong: boolean; isUnknownField?: boolean };
type Value = [what: string, value: unknown];

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

/** Wrong in every place. */
const NEVER: Value[] = [
  ['a text with U+0000', 'a\u0000b'],
  ['a lone surrogate', 'a\ud800b'],
  ['a deep value', nested(40)],
  ['a prototype', JSON.parse('{"__proto__":{"scopes":["keys:write"]}}')],
  ['a surrogate as name', { '\udfff': 1 }],
];

/** Wrong in most places. */
const ODD: Value[] = [
  ['null', null],
  ['true', true],
  ['zero', 0],
  ['a negative number', -1],
  ['a fraction', 1.5],
  ['a huge number', 1e308],
  ['a number beyond 53 bits', 2 ** 53],
  ['an empty text', ''],
  ['a blank text', ' \n\t'],
  ['a long text', 'x'.repeat(70_000)],
  ['NaN as text', 'NaN'],
  ['a number as text', '1'],
  ['non-ASCII text', 'ключ 键 🗝'],
  ['SQL', "'; drop table tasks; --"],
  ['a path', '../../etc/passwd'],
  ['an empty array', []],
  ['an array of the wrong', [null, [], {}]],
  ['a long array', Array.from({ length: 1_100 }, (_, at) => `k${at}`)],
  ['an empty object', {}],
  ['an object', { key: 'value', nested: { a: 1 } }],
  ['a constructor', { constructor: { prototype: { admin: true } } }],
];

const isObject = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === 'object' && !Array.isArray(value);

type Place = { path: string[]; value: unknown };

/** Every value in a body with its place; for an array, only the first item. */
export const placesOf = (value: unknown, path: string[] = ['body']): Place[] => {
  const inside = Array.isArray(value) ? Object.entries(value.slice(0, 1)) : isObject(value) ? Object.entries(value) : [];
  return [{ path, value }, ...inside.flatMap(([key, item]) => placesOf(item, [...path, key]))];
};

/** A copy with another value at a place; undefined removes it. */
const replaced = (whole: unknown, [key, ...rest]: readonly string[], value: unknown): unknown => {
  if (key === undefined) return value;
  const copy = (Array.isArray(whole) ? [...(whole as unknown[])] : { ...(whole as object) }) as Record<string, unknown>;
  const inner = replaced(copy[key], rest, value);
  if (inner === undefined) delete copy[key];
  else Object.defineProperty(copy, key, { value: inner, enumerable: true, configurable: true, writable: true });
  return copy;
};

/** Free-form JSON, whose content only the caller interprets. */
const isFree = (path: readonly string[]) => /\.(metadata|input|result|info|usage|labels)$/.test(`.${path.join('.')}`);
const isInsideFree = (path: readonly string[]) => path.some((_, at) => at < path.length - 1 && isFree(path.slice(0, at + 1)));

const bodyMutations = (sample: Sample): Mutation[] => {
  const change = (what: string, path: readonly string[], value: unknown, isWrong: boolean): Mutation => ({
    what: `${what} at ${path.join('.')}`,
    place: path.join('.'),
    sample: { ...sample, body: replaced(sample.body, path.slice(1), value) },
    isWrong,
  });
  return placesOf(sample.body).flatMap(({ path, value }) => {
    const always = NEVER.map(([what, wrong]) => change(what, path, wrong, true));
    if (isObject(value)) always.push(change('__proto__', [...path, '__proto__'], { admin: true }, true));
    if (isInsideFree(path)) return always;
    if (isObject(value) && !isFree(path))
      always.push({ ...change('an unknown field', [...path, 'zz_unknown'], 1, true), isUnknownField: true });
    if (path.length > 1) always.push(change('nothing', path, undefined, false));
    return [...always, ...ODD.map(([what, odd]) => change(what, path, odd, false))];
  });
};

const TEXTS = [
  '',
  ' ',
  '-1',
  '-2',
  '1.5',
  '1e3',
  '0x10',
  '1,2',
  'NaN',
  'Infinity',
  '9'.repeat(16),
  '9'.repeat(15),
  'null',
  '[]',
  '{}',
  '__proto__',
  'constructor',
  'ключ 键 🗝',
  "'; drop table tasks; --",
  'x'.repeat(500),
];
const ID = '00000000-0000-4000-8000-000000000001';
const CURSORS = [
  [],
  {},
  null,
  1,
  'x',
  [null],
  [1.5],
  [2 ** 40],
  ['a', 'b'],
  ['2024-01-01T00:00:00Z', 'b'],
  ['2024-13-01T00:00:00Z', ID],
  ['2024-02-31T00:00:00Z', ID],
  ['0000-01-01T00:00:00Z', ID],
  ['2024-01-01T25:00:00Z', ID],
  [['2024-01-01T00:00:00Z'], ID],
].map((key) => Buffer.from(JSON.stringify(key)).toString('base64url'));

const partMutations = (sample: Sample, part: 'query' | 'params', wrong: readonly string[]): Mutation[] =>
  Object.keys(sample[part] ?? {}).flatMap((name) => {
    const change = (text: string, isWrong: boolean): Mutation => ({
      what: `${JSON.stringify(text.slice(0, 40))} at ${part}.${name}`,
      place: `${part}.${name}`,
      sample: { ...sample, [part]: { ...sample[part], [name]: text } },
      isWrong,
    });
    const texts = name === 'cursor' ? CURSORS.map((text) => change(text, true)) : [];
    return [
      ...wrong.map((text) => change(text, true)),
      ...TEXTS.filter((text) => part === 'query' || text !== '').map((text) => change(text, part === 'params' && name !== 'key')),
      ...texts,
    ];
  });

const unknownParameters = (sample: Sample): Mutation[] =>
  ['zz_unknown', '__proto__', 'constructor', ''].map((name) => ({
    what: `the parameter ${JSON.stringify(name)}`,
    place: `query.${name}`,
    sample: { ...sample, query: Object.fromEntries([...Object.entries(sample.query ?? {}), [name, '1']]) },
    isWrong: true,
  }));

/** Every single change of the parameters, the query and the body of a request. */
export const mutationsOf = (sample: Sample): Mutation[] => [
  ...partMutations(sample, 'params', ['\u0000', '00000000-0000-4000-8000-00000000000g', '00000000-0000-4000-8000-0000000000001', '.']),
  ...partMutations(sample, 'query', ['\u0000']),
  ...unknownParameters(sample),
  ...(sample.body === undefined ? [] : bodyMutations(sample)),
];
