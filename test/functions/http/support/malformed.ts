import { LIMITS } from '../../../../schema/json.ts';
import type { Route } from '../../../../schema/route.ts';
import type { RawRequest } from '../../../support/backend.ts';
import type { Answered } from './credentials.ts';

/** A request that is malformed as a whole, and the response to it. */
export type Malformed = {
  what: string;
  isFor(route: Route): boolean;
  spoil(request: RawRequest): RawRequest;
  answer: Answered;
  place?: string;
};

const takesBody = (route: Route) => route.body !== undefined;
const INVALID = [400, 'invalid_request'] as const;

const text = (what: string, body: string, answer: Answered = [400, 'invalid_json'], place = ''): Malformed => ({
  what,
  isFor: takesBody,
  spoil: ({ body: _, ...request }) => ({ ...request, text: body }),
  answer,
  place,
});

const header = (isFor: Malformed['isFor'], name: string, value: string): Malformed => ({
  what: `the ${name} ${JSON.stringify(value.slice(0, 20))}`,
  isFor,
  spoil: (request) => ({ ...request, headers: { ...request.headers, [name]: value } }),
  answer: INVALID,
  place: `headers.${name}`,
});

const contentType = (value: string): Malformed => ({
  ...header(takesBody, 'content-type', value),
  answer: [415, 'unsupported_media_type'],
  place: '',
});

export const MALFORMED: readonly Malformed[] = [
  text('half a body', '{"goal":'),
  text('two bodies', '{}{}'),
  text('XML', '<goal/>'),
  text('a byte order mark alone', '\ufeff'),
  text('a number beyond 64 bits', '{"zz":1e999}', INVALID, 'body.zz'),
  text('a body that is too large', JSON.stringify({ zz: 'x'.repeat(LIMITS.request_bytes) }), [413, 'body_too_large']),
  { ...text('no body', '', INVALID, 'body'), isFor: (route) => takesBody(route) && route.optionalBody !== true },
  { ...text('a body where none is taken', '{}', INVALID, 'body'), isFor: (route) => !takesBody(route) },
  ...['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'application/jsonp', 'json'].map(contentType),
  ...['', 'two words', 'ключ', 'k'.repeat(201)].map((key) => header((route) => route.idempotent === true, 'idempotency-key', key)),
  ...['', '1', '"x"', 'W/"1"', '"1", "2"', '*', `"${'9'.repeat(16)}"`].map((etag) =>
    header((route) => route.etag === true && route.method !== 'GET', 'if-match', etag),
  ),
];
