import { AppError, type FieldError } from '../../schema/errors.ts';
import { LIMITS } from '../../schema/json.ts';

const isText = (contentType: string | undefined) =>
  contentType === undefined || /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType);

const fault = (path: string, message: string): never => {
  const error: FieldError = { path, message };
  throw new AppError('invalid_request', `${path} ${message}`, { errors: [error] });
};

const checkText = (text: string, path: string) => {
  if (text.includes('\u0000')) fault(path, 'must not contain the character U+0000');
  if (!text.isWellFormed()) fault(path, 'must be well-formed Unicode: a lone surrogate is not a character');
};

/** Refuses what JSON allows and the database can't hold, wherever it stands in the body. */
const checkValue = (value: unknown, path: string, depth: number): void => {
  if (typeof value === 'string') return checkText(value, path);
  if (typeof value === 'number' && !Number.isFinite(value)) fault(path, 'must be a number that fits 64 bits');
  if (value === null || typeof value !== 'object') return;
  if (depth >= LIMITS.json_depth) fault(path, `must not be nested deeper than ${LIMITS.json_depth} levels`);
  if (Array.isArray(value)) return value.forEach((item, at) => checkValue(item, `${path}.${at}`, depth + 1));
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') fault(path, 'must not have a key __proto__');
    checkText(key, path);
    checkValue(item, `${path}.${key}`, depth + 1);
  }
};

/** The JSON body of a request; undefined when there is none. Throws invalid_json, body_too_large or invalid_request. */
export const readBody = (event: {
  body?: string | undefined;
  isBase64Encoded: boolean;
  headers: Record<string, string | undefined>;
}): unknown => {
  if (event.body === undefined || event.body === '') return undefined;
  if (!isText(event.headers['content-type']))
    throw new AppError('unsupported_media_type', 'Send the body as JSON, with the header Content-Type: application/json');
  const text = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString('utf8') : event.body;
  if (text.length > LIMITS.request_bytes) throw new AppError('body_too_large', `The body must be at most ${LIMITS.request_bytes} bytes`);
  const body = parse(text);
  checkValue(body, 'body', 0);
  return body;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_json', `The body is not JSON: ${(cause as Error).message}`, { cause });
  }
};
