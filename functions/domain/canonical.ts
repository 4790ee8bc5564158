import { createHash } from 'node:crypto';
import type { Json } from '../../schema/json.ts';

const sorted = (_: string, value: unknown) =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** A hash that is equal for values that are equal as JSON, whatever the order of their keys. */
export const jsonHash = (value: Json | Record<string, unknown>): string =>
  createHash('sha256').update(JSON.stringify(value, sorted)).digest('hex');
