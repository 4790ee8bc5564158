import { AppError } from '../../schema/errors.ts';
import { LIMITS } from '../../schema/json.ts';
import type { Route } from '../../schema/route.ts';
import { invalid } from './faults.ts';

type Received = { body?: string | null | undefined; isBase64Encoded: boolean; headers: Record<string, string | undefined> };

const isJson = (contentType: string | undefined) =>
  contentType === undefined || /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType);

/** Refuses text that the database cannot store. */
export const checkText = (text: string, path: string) => {
  if (text.includes('\u0000')) throw invalid(path, 'must not contain the character U+0000');
  if (!text.isWellFormed()) throw invalid(path, 'must be well-formed Unicode without lone surrogates');
};

/** Refuses values that are valid JSON but that the database cannot store, anywhere in the body. */
const checkValue = (value: unknown, path: string, depth: number): void => {
  if (typeof value === 'string') return checkText(value, path);
  if (typeof value === 'number' && !Number.isFinite(value)) throw invalid(path, 'must be in the range of a 64-bit floating-point number');
  if (value === null || typeof value !== 'object') return;
  if (depth >= LIMITS.json_depth) throw invalid(path, `must not be nested deeper than ${LIMITS.json_depth} levels`);
  if (Array.isArray(value)) return value.forEach((item, at) => checkValue(item, `${path}.${at}`, depth + 1));
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') throw invalid(path, 'must not contain the key __proto__');
    checkText(key, path);
    checkValue(item, `${path}.${key}`, depth + 1);
  }
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_json', `The request body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
};

const readJson = (event: Received, body: string): unknown => {
  if (!isJson(event.headers['content-type']))
    throw new AppError('unsupported_media_type', 'Send the request body as JSON with the header Content-Type: application/json');
  const text = event.isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body;
  if (Buffer.byteLength(text) > LIMITS.request_bytes)
    throw new AppError('body_too_large', `The request body must be at most ${LIMITS.request_bytes} bytes`);
  const value = parse(text);
  checkValue(value, 'body', 0);
  return value;
};

/**
 * The JSON body of a request; undefined for an operation that takes none. Throws invalid_json, body_too_large,
 * unsupported_media_type or invalid_request.
 */
export const readBody = (route: Route, event: Received): unknown => {
  const body = event.body ?? '';
  const isGiven = body !== '';
  if (route.body === undefined) {
    if (isGiven) throw invalid('body', 'must be empty: this operation takes no request body');
    return undefined;
  }
  if (isGiven) return readJson(event, body);
  if (route.optionalBody) return {};
  throw invalid('body', 'is required (object): send a JSON object');
};
