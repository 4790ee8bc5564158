import * as z from 'zod';
import { LIMITS } from './json.ts';

/** Always in lower case, so that two ids are equal when their texts are. */
export const Id = z.guid().toLowerCase();
export const Timestamp = z.iso.datetime({ offset: true });
export const Tool = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}$/, 'must be a tool name such as exec, scripted or claude: a-z, 0-9, _ and -, at most 32');
/** What JSON Schema says of a text that is not empty without the spaces around it. */
export const NOT_BLANK = { pattern: '\\S' };
export const Name = z.string().trim().min(1).max(LIMITS.name_characters).meta(NOT_BLANK);

const LabelKey = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/, 'must be at most 63 of A-Z, a-z, 0-9 and _ . / -');
export const Labels = z
  .record(LabelKey, z.string().max(120))
  .refine((labels) => Object.keys(labels).length <= 32, 'must have at most 32 labels')
  .meta({ id: 'Labels' });
export type Labels = z.infer<typeof Labels>;

const readWhole = (value: unknown): unknown => (typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value);

/** A whole number of a query string: a number for those who call and for those who answer, text only on the way. */
export const queryInt = (min: number, max: number, fallback: number) =>
  z
    .preprocess(
      (value: number) => readWhole(value),
      z
        .int({ error: `must be a whole number from ${min} to ${max}` })
        .min(min)
        .max(max),
    )
    .default(fallback);

/** What every keyset list takes; `cursor` is `next_cursor` of the page before. */
export const PageQuery = {
  limit: queryInt(1, LIMITS.page, 50),
  cursor: z.string().max(300).optional(),
};

export const page = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('Give it as cursor for the next page; null on the last one'),
  });
