import * as z from 'zod';
import { LIMITS } from './json.ts';

/** Always lower case, so that ids can be compared as strings. */
export const Id = z.guid().toLowerCase();
export const Timestamp = z.iso.datetime({ offset: true });
export const Tool = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,31}$/,
    'must be a tool name such as exec or scripted: 1 to 32 characters from a-z, 0-9, _ and -, starting with a letter',
  );
/** The JSON Schema for a string that is not blank. */
export const NOT_BLANK = { pattern: '\\S' };
export const Name = z.string().trim().min(1).max(LIMITS.name_characters).meta(NOT_BLANK);

const LabelKey = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/,
    'must be 1 to 63 characters from A-Z, a-z, 0-9, _ . / and -, starting with a letter or digit',
  );
export const Labels = z
  .record(LabelKey, z.string().max(120))
  .refine((labels) => Object.keys(labels).length <= 32, 'must have at most 32 labels')
  .meta({ id: 'Labels' });
export type Labels = z.infer<typeof Labels>;

const readWhole = (value: unknown): unknown => (typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value);

/** An integer in a query string: a number for clients and use cases, text only in the URL. */
export const queryInt = (min: number, max: number, fallback: number) =>
  z
    .preprocess(
      (value: number) => readWhole(value),
      z
        .int({ error: `must be an integer from ${min} to ${max}` })
        .min(min)
        .max(max),
    )
    .default(fallback);

/** The query of every keyset list; `cursor` is `next_cursor` of the previous page. */
export const PageQuery = {
  limit: queryInt(1, LIMITS.page, 50),
  cursor: z.string().max(300).optional(),
};

export const page = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('The cursor of the next page; null on the last page'),
  });
