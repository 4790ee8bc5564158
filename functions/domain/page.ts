import { AppError } from '../../schema/errors.ts';
import { PAGE_BYTES } from './page.sql.ts';

/** Whether a list has more rows than these: one more than `limit` was requested, and the list may have been cut. */
export const goesOn = (rows: readonly { bytes_so_far?: number }[], limit: number): boolean =>
  rows.length > limit || (rows.at(-1)?.bytes_so_far ?? 0) >= PAGE_BYTES;

/** A page of a keyset list; `key` returns the values after which the next page starts. */
export const pageOf = <T extends object>(
  rows: (T & { bytes_so_far?: number })[],
  limit: number,
  key: (last: T) => readonly (string | number)[],
) => {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next_cursor: goesOn(rows, limit) && last !== undefined ? encode(key(last)) : null };
};

const encode = (key: readonly (string | number)[]) => Buffer.from(JSON.stringify(key)).toString('base64url');

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const refuse = (): never => {
  throw new AppError('invalid_request', 'query.cursor: must be the next_cursor of the previous page', {
    errors: [{ path: 'query.cursor', message: 'must be the next_cursor of the previous page' }],
  });
};

const decode = (cursor: string): unknown => {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return refuse();
  }
};

/** Whether a time is on the calendar; Date.parse turns the 31st of February into a day in March. */
const isTime = (text: string): boolean => {
  const at = TIME.test(text) ? new Date(text) : null;
  return at !== null && at.getUTCFullYear() > 0 && !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 19) === text.slice(0, 19);
};

/** The time and id after which the next page of a list, newest first, starts. */
export const timeCursor = (cursor: string | undefined): { time: string; id: string } | null => {
  if (cursor === undefined) return null;
  const key = decode(cursor);
  if (!Array.isArray(key) || key.length !== 2) return refuse();
  const [time, id] = key as unknown[];
  if (typeof time !== 'string' || typeof id !== 'string' || !isTime(time) || !UUID.test(id)) return refuse();
  return { time, id };
};

/** The number after which the next page of a numbered list starts. */
export const numberCursor = (cursor: string | undefined): number => {
  if (cursor === undefined) return -1;
  const key = decode(cursor);
  const [number] = Array.isArray(key) ? (key as unknown[]) : [];
  return typeof number === 'number' && Number.isInteger(number) && Math.abs(number) < 2 ** 31 ? number : refuse();
};
