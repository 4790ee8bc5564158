import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true });
const LONGEST_MS = 30_000;

export type Sent = { method: 'GET' | 'POST'; url: string; token: string; body?: unknown; headers?: Record<string, string> };

/** Sends a request over a kept-alive connection; throws on any status other than success. */
export const send = <T>({ method, url, token, body, headers = {} }: Sent): Promise<T> =>
  new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body);
    const typed = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    const sent = request(
      url,
      { method, agent, headers: { authorization: `Bearer ${token}`, ...typed, ...headers }, timeout: LONGEST_MS },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0 } = response;
          if (statusCode >= 200 && statusCode < 300) resolve(JSON.parse(text));
          else reject(new Error(`${method} ${url} answered ${statusCode}: ${text}`));
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${url} did not answer within ${LONGEST_MS} ms`)));
    sent.on('error', reject);
    sent.end(payload);
  });
