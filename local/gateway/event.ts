import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type { Match } from './match.ts';

/** Reads the body of a request. Returns null as soon as it is longer than allowed. */
export const readBytes = async (request: IncomingMessage, most: number): Promise<Buffer | null> => {
  if (Number(request.headers['content-length'] ?? 0) > most) {
    request.resume();
    return null;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
};

const TEXT = /^(text\/|application\/([\w.+-]+\+)?(json|xml|javascript|x-www-form-urlencoded))/i;

/** Repeated headers are joined by commas; cookies have their own field. */
const headersOf = ({ headersDistinct: { cookie: _, ...rest } }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(rest).map(([name, values = []]) => [name, values.join(',')]));

/** Repeated parameters are joined by commas. */
const queryOf = (query: string): Record<string, string> | undefined => {
  if (query === '') return undefined;
  const joined: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(query)) joined[name] = name in joined ? `${joined[name]},${value}` : value;
  return { ...joined };
};

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number) => String(value).padStart(2, '0');
/** The time format of access logs, which events use too. */
export const logTime = (at: Date) =>
  `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`;

/** The path of a request, decoded as API Gateway decodes it; null if that is impossible. */
export const pathOf = (request: IncomingMessage): string | null => {
  try {
    return decodeURIComponent((request.url ?? '/').split('?', 1)[0] ?? '/');
  } catch {
    return null;
  }
};

/** The event of API Gateway's HTTP API, payload format 2.0. */
export const eventOf = (request: IncomingMessage, path: string, body: Buffer, match: Match | null): APIGatewayProxyEventV2 => {
  const query = (request.url ?? '').split('?').slice(1).join('?');
  const method = request.method ?? 'GET';
  const headers = headersOf(request);
  const isText = headers['content-type'] === undefined || TEXT.test(headers['content-type']);
  const routeKey = match === null ? '$default' : `${match.route.method} ${match.route.path}`;
  const now = new Date();
  const cookies = request.headers.cookie?.split('; ');
  const parameters = queryOf(query);
  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: query,
    ...(cookies ? { cookies } : {}),
    headers,
    ...(parameters ? { queryStringParameters: parameters } : {}),
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      domainName: headers.host ?? 'localhost',
      domainPrefix: 'local',
      http: {
        method,
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey,
      stage: '$default',
      time: logTime(now),
      timeEpoch: now.getTime(),
    },
    ...(match && Object.keys(match.params).length > 0 ? { pathParameters: match.params } : {}),
    ...(body.length > 0 ? { body: isText ? body.toString('utf8') : body.toString('base64') } : {}),
    isBase64Encoded: body.length > 0 && !isText,
  };
};
