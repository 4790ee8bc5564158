import { createClient } from '../../../../schema/client/client.ts';
import { type Backend, type Reply } from '../../../support/backend.ts';

const textOf = (body: unknown): string | null => (body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body));

/** The typed client, connected directly to the handlers; `replies` collects their responses. */
export const clientOf = (backend: Backend, token: string | undefined) => {
  const replies: Reply[] = [];
  const fetchHere = async (url: string, { method = 'GET', headers, body }: RequestInit) => {
    const path = url.slice('http://api.test'.length);
    const text = typeof body === 'string' ? { text: body } : {};
    const reply = await backend.send({ method, path, headers: headers as Record<string, string>, ...text });
    replies.push(reply);
    return new Response(textOf(reply.body), { status: reply.status, headers: reply.headers });
  };
  return { client: createClient({ url: 'http://api.test', token, fetch: fetchHere as typeof fetch }), replies };
};
