/** Encodes the values of statements as text and decodes the values of rows from text. */

type Parse = (text: string) => unknown;

const bytea = (bytes: Uint8Array) => `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;

const scalar = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Uint8Array) return bytea(value);
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value);
};

/** Every element is quoted, so that none is read as NULL, a brace or a comma. */
const element = (value: unknown): string => {
  if (value === null) return 'NULL';
  if (value === undefined) throw new TypeError('An element of an array is undefined; null is the absent value');
  return Array.isArray(value) ? array(value) : `"${scalar(value).replace(/["\\]/g, '\\$&')}"`;
};
const array = (values: readonly unknown[]) => `{${values.map(element).join(',')}}`;

/**
 * A parameter in the text format of PostgreSQL. A list becomes an array, and a list of lists a two-dimensional array: jsonb elements
 * that are lists themselves must first be converted to text with `json`.
 */
export const encode = (value: unknown): string | null => {
  if (value === null) return null;
  return Array.isArray(value) ? array(value) : scalar(value);
};

const text: Parse = (value) => value;
const boolean: Parse = (value) => value === 't';
const bytes: Parse = (value) => Buffer.from(value.slice(2), 'hex');
/** Times stay text, in UTC and to the microsecond: keyset cursors compare them again. */
const time: Parse = (value) => `${value.replace(' ', 'T').replace(/\+00$/, '')}Z`;

const TOKEN = /[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+/gs;

/** An array of PostgreSQL, such as `{1,NULL,"a,b"}`; bounds at its start are skipped. */
const arrayOf =
  (parse: Parse): Parse =>
  (value) => {
    const whole: unknown[] = [];
    const open = [whole];
    for (const [token] of value.slice(value.indexOf('{')).matchAll(TOKEN)) {
      const list = open.at(-1) as unknown[];
      if (token === '{') {
        const inner: unknown[] = [];
        list.push(inner);
        open.push(inner);
      } else if (token === '}') open.pop();
      else if (token.startsWith('"')) list.push(parse(token.slice(1, -1).replace(/\\(.)/gs, '$1')));
      else if (token !== ',') list.push(token === 'NULL' ? null : parse(token));
    }
    return whole[0];
  };

/** Parsers by the OIDs of types and of their arrays, which are the same in every PostgreSQL. Other types, such as enums, stay text. */
const PARSERS: readonly (readonly [parse: Parse, types: readonly number[], arrays: readonly number[]])[] = [
  [boolean, [16], [1000]],
  [bytes, [17], [1001]],
  [Number, [20, 21, 23, 26, 700, 701], [1016, 1005, 1007, 1028, 1021, 1022]], // int8, int2, int4, oid, float4, float8
  [(value) => JSON.parse(value), [114, 3802], [199, 3807]], // json, jsonb
  [time, [1184], [1185]],
  [text, [1082, 1114, 1700], [1182, 1115, 1231, 1002, 1003, 1009, 1014, 1015, 2951]], // date, timestamp, numeric, char, name, text, varchar, uuid
];

/** The parsers in the form that the driver expects. Parameters are text before they reach the driver, so it serializes nothing. */
export const driverTypes = Object.fromEntries(
  PARSERS.flatMap(([parse, types, arrays], at) => [
    [`type_${at}`, { to: types[0] as number, from: [...types], serialize: text, parse }],
    [`array_${at}`, { to: arrays[0] as number, from: [...arrays], serialize: text, parse: arrayOf(parse) }],
  ]),
);
