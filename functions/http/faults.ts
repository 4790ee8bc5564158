import type * as z from 'zod';
import { AppError, type FieldError } from '../../schema/errors.ts';

type RawIssue = z.core.$ZodRawIssue;

const JSON_NAMES: Record<string, string> = { int: 'integer', record: 'object' };
const jsonName = (type: string): string => JSON_NAMES[type] ?? type;
const withArticle = (type: string) => (type === 'null' ? type : `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`);
const typeOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

const wrongType = ({ expected, input }: z.core.$ZodIssueInvalidType): string => {
  const wanted = jsonName(expected);
  if (input === undefined) return `is required (${wanted})`;
  const must = `must be ${withArticle(wanted)}`;
  return expected === 'int' && typeof input === 'number' ? must : `${must}, not ${withArticle(typeOf(input))}`;
};

const UNITS: Record<string, string> = { string: ' characters', array: ' items' };

const outOfRange = (issue: RawIssue, bound: 'least' | 'most', limit: number | bigint): string => {
  const unit = UNITS[String(issue.origin)];
  if (unit === undefined) return `must be at ${bound} ${limit}`;
  return Number(limit) === 1 && bound === 'least' ? 'must not be empty' : `must have at ${bound} ${limit}${unit}`;
};

/** The fields that the strict object allows. */
const knownFields = ({ inst }: RawIssue): string => Object.keys((inst as z.ZodObject | undefined)?.shape ?? {}).join(', ') || 'none';

/** What is wrong with a value, and what is accepted instead; undefined where the contract has its own message. */
export const messageOf = (issue: RawIssue): string | undefined => {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue as unknown as z.core.$ZodIssueInvalidType);
    case 'too_small':
      return outOfRange(issue, 'least', issue.minimum);
    case 'too_big':
      return outOfRange(issue, 'most', issue.maximum);
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
    case 'invalid_format':
      return issue.format === 'guid' ? 'must be a UUID' : undefined;
    case 'unrecognized_keys':
      return `unknown field; allowed: ${knownFields(issue)}`;
    default:
      return undefined;
  }
};

/** The faults of one part of a request, each with its path. */
export const faultsOf = (error: z.ZodError, part: string): FieldError[] =>
  error.issues.flatMap((issue) => {
    const path = [part, ...issue.path.map(String)].join('.');
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path: `${path}.${key}`, message: issue.message }));
    if (issue.code === 'invalid_key') return [{ path, message: `the key ${issue.issues[0]?.message ?? issue.message}` }];
    return [{ path, message: issue.message }];
  });

/** The error for a request with one fault. */
export const invalid = (path: string, message: string) =>
  new AppError('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] });
