import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';

const MAX_BYTES = 16_777_216;

type Request = { method: 'GET' | 'POST'; url: string; key: string | undefined; body?: unknown; signal: AbortSignal };

/** Sends one request. It does not use fetch, which fails after five minutes without a response: a model on a small machine may need longer. */
export const send = ({ method, url, key, body, signal }: Request): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      accept: 'application/json, text/event-stream',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(content === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
    };
    const request = url.startsWith('https:') ? requestHttps : requestHttp;
    request(url, { method, headers, signal }, resolve).on('error', reject).end(content);
  });

/** The text of a response, piece by piece as it arrives. Throws if it is too long. */
export const textsOf = async function* (response: IncomingMessage): AsyncGenerator<string> {
  let bytes = 0;
  response.setEncoding('utf8');
  for await (const text of response as AsyncIterable<string>) {
    bytes += Buffer.byteLength(text);
    if (bytes > MAX_BYTES) throw new Error(`its response is longer than ${MAX_BYTES} bytes`);
    yield text;
  }
};

export const wholeText = async (response: IncomingMessage): Promise<string> => {
  let whole = '';
  for await (const text of textsOf(response)) whole += text;
  return whole;
};

/** The contents of the `data:` lines of an event stream. */
export const dataOf = async function* (response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  for await (const text of textsOf(response)) {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trim();
  }
  if (rest.startsWith('data:')) yield rest.slice(5).trim();
};
