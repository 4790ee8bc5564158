import type { Json } from '../../../schema/json.ts';

/** The text as the server accepts it: without U+0000 and without unpaired surrogates. */
export const cleanText = (text: string): string => text.replaceAll('\u0000', '\ufffd').toWellFormed();

/** A copy of a value as JSON that the server accepts. Values that JSON does not have become null; a key `__proto__` is left out. */
export const cleanJson = (value: unknown): Json => {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : null; // turns -0 into 0
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(cleanJson);
  if (typeof value !== 'object' || value === null) return null;
  const entries = Object.entries(value).filter(([key, item]) => key !== '__proto__' && item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [cleanText(key), cleanJson(item)]));
};

/** At most `length` UTF-16 units of a text, from its end if `keep` is `tail`, cut between characters. */
export const clip = (text: string, length: number, keep: 'head' | 'tail' = 'head'): string => {
  if (text.length <= length) return cleanText(text);
  const half = (unit: number) => (unit & 0xfc00) === 0xd800;
  if (keep === 'head') return cleanText(text.slice(0, half(text.charCodeAt(length - 1)) ? length - 1 : length));
  const from = text.length - length;
  return cleanText(text.slice(half(text.charCodeAt(from - 1)) ? from + 1 : from));
};

/** How deep arrays and objects are nested; a plain value has depth 0. */
export const depthOf = (value: Json): number => {
  if (value === null || typeof value !== 'object') return 0;
  let deepest = 0;
  for (const item of Array.isArray(value) ? value : Object.values(value)) deepest = Math.max(deepest, depthOf(item));
  return deepest + 1;
};
