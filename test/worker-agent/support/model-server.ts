import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Json } from '../../../schema/json.ts';
import { serve } from '../../support/http-server.ts';

type Call = { name: string; arguments: Json };
type Reply = { content?: string; calls?: Call[]; finish?: string; usage?: { prompt_tokens: number; completion_tokens: number } | null };
/** How the model responds: with a message, or with special behaviour of the server. */
export type Act = Reply | ((response: ServerResponse, asked: Asked['body']) => void);
type Asked = {
  headers: IncomingHttpHeaders;
  body: { messages: { role: string; content: string; tool_call_id?: string }[] } & Record<string, any>;
};

const USAGE = { prompt_tokens: 10, completion_tokens: 2 };

const messageOf = ({ content, calls = [] }: Reply) => ({
  role: 'assistant',
  content: content ?? null,
  tool_calls: calls.map(({ name, arguments: given }, at) => ({
    id: `call_${at}`,
    type: 'function',
    function: { name, arguments: typeof given === 'string' ? given : JSON.stringify(given) },
  })),
});

const finishOf = ({ finish, calls = [] }: Reply) => finish ?? (calls.length > 0 ? 'tool_calls' : 'stop');
const usageOf = ({ usage = USAGE }: Reply) => (usage === null ? {} : { usage });

export const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

/** Sends texts and arguments in two pieces each, and last the usage without a choice, as servers do. */
const stream = (response: ServerResponse, reply: Reply): void => {
  const { content, tool_calls } = messageOf(reply);
  const say = (chunk: unknown) => response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  const half = (text: string) => Math.ceil(text.length / 2);
  const delta = (it: unknown, finish_reason: string | null = null) => say({ choices: [{ index: 0, delta: it, finish_reason }] });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(': a comment\n\n');
  if (content !== null) for (const part of [content.slice(0, half(content)), content.slice(half(content))]) delta({ content: part });
  for (const [index, { id, function: called }] of tool_calls.entries()) {
    const text = called.arguments;
    delta({ tool_calls: [{ index, id, type: 'function', function: { name: called.name, arguments: text.slice(0, half(text)) } }] });
    delta({ tool_calls: [{ index, function: { arguments: text.slice(half(text)) } }] });
  }
  delta({}, finishOf(reply));
  say({ choices: null, ...usageOf(reply) });
  response.end('data: [DONE]\n\n');
};

const act = (response: ServerResponse, next: Act, asked: Asked['body']): void => {
  if (typeof next === 'function') return next(response, asked);
  if (asked.stream === true) return stream(response, next);
  return sendJson(response, 200, { choices: [{ message: messageOf(next), finish_reason: finishOf(next) }], ...usageOf(next) });
};

/** A scripted model behind an OpenAI-compatible server on loopback. Its last step is repeated for all further requests. */
export const modelServer = async (...script: Act[]) => {
  const asked: Asked[] = [];
  const { endpoint } = await serve((request, response) => {
    let text = '';
    request.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    request.on('end', () => {
      if (request.url === '/v1/models') return sendJson(response, 200, { data: [{ id: 'a-model' }] });
      const body = JSON.parse(text) as Asked['body'];
      asked.push({ headers: request.headers, body });
      const next = script[Math.min(asked.length, script.length) - 1] ?? { content: 'done' };
      act(response, next, body);
    });
  });
  return { url: `${endpoint}/v1`, asked, said: (turn: number) => asked[turn]?.body.messages.at(-1)?.content ?? '' };
};

export const submits = (result: Json): Reply => ({ calls: [{ name: 'submit_result', arguments: { result } }] });
export const uses = (name: string, given: Json): Reply => ({ calls: [{ name, arguments: given }] });
