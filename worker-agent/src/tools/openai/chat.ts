import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { AgentFailure } from '../../attempt/agent-failure.ts';
import { refusal, unavailable } from './model-errors.ts';
import { dataOf, send, wholeText } from './model-request.ts';

export type ChatSettings = { url: string; model: string; key: string | undefined; stream: boolean; timeoutMs: number };
export type ToolCall = { id: string; type: 'function'; function: { name: string; arguments: string } };
export type Message =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string | null; tool_calls?: ToolCall[] }
  | { role: 'tool'; tool_call_id: string; content: string };
export type Tokens = { input: number; output: number };
export type Answer = { content: string; calls: ToolCall[]; finish: string | null; tokens: Tokens | null };
export type Ask = { messages: readonly Message[]; tools: readonly unknown[]; temperature: number | undefined };

// These schemas cover only the fields that are used: servers differ in the others.
const Text = z.string().nullish();
const Call = z.object({
  index: z.int().nullish(),
  id: Text,
  function: z.object({ name: Text, arguments: z.unknown().optional() }).nullish(),
});
const Part = z.object({ content: Text, tool_calls: z.array(Call).nullish() });
const Usage = z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish().catch(null);
const Choice = z.object({ message: Part.nullish(), delta: Part.nullish(), finish_reason: Text });
const Completion = z.object({ choices: z.array(Choice).nullish(), usage: Usage, error: z.unknown().optional() });
type Completion = z.output<typeof Completion>;

const parse = (text: string): Completion => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unavailable(`sent a response that is not JSON: ${text}`, cause);
  }
  const parsed = Completion.safeParse(value);
  if (!parsed.success) throw unavailable(`sent a response that is not a chat completion: ${parsed.error.issues[0]?.path.join('.')}`);
  if (parsed.data.error) throw refusal(500, text);
  return parsed.data;
};

/** Assembles an answer from its parts; an answer that is not streamed has only one. */
class AnswerBuilder {
  #content = '';
  readonly #calls = new Map<number, { id: string; name: string; text: string }>();
  #finish: string | null = null;
  #tokens: Tokens | null = null;

  add({ choices, usage }: Completion): void {
    if (usage) this.#tokens = { input: usage.prompt_tokens, output: usage.completion_tokens };
    const [choice] = choices ?? [];
    const part = choice?.message ?? choice?.delta;
    this.#content += part?.content ?? '';
    this.#finish = choice?.finish_reason ?? this.#finish;
    for (const [at, call] of (part?.tool_calls ?? []).entries()) this.#addCall(call.index ?? at, call);
  }

  #addCall(at: number, { id, function: called }: z.output<typeof Call>): void {
    const call = this.#calls.get(at) ?? { id: '', name: '', text: '' };
    const text: unknown = called?.arguments;
    call.id ||= id ?? '';
    call.name ||= called?.name ?? '';
    if (text !== undefined && text !== null) call.text += typeof text === 'string' ? text : JSON.stringify(text);
    this.#calls.set(at, call);
  }

  get answer(): Answer {
    const calls = [...this.#calls.entries()].map(([at, { id, name, text }]): ToolCall => {
      return { id: id || `call_${at}`, type: 'function', function: { name, arguments: text } };
    });
    return { content: this.#content, calls, finish: this.#finish, tokens: this.#tokens };
  }
}

const read = async (response: IncomingMessage, onPart: () => void): Promise<Answer> => {
  const builder = new AnswerBuilder();
  if (!/event-stream/.test(response.headers['content-type'] ?? '')) {
    const whole = parse(await wholeText(response));
    if (!whole.choices?.[0]?.message) throw unavailable('sent a response that is not a chat completion: it has no message');
    builder.add(whole);
    return builder.answer;
  }
  for await (const data of dataOf(response)) {
    if (data === '[DONE]') return builder.answer;
    onPart();
    builder.add(parse(data));
  }
  if (builder.answer.finish === null) throw unavailable('ended the stream before the end of its answer');
  return builder.answer;
};

/** Sends one request to a model; calls `onPart` for each part of a streamed answer. Throws AgentFailure with the failure class. */
export const ask = async (settings: ChatSettings, { messages, tools, temperature }: Ask, signal: AbortSignal, onPart: () => void) => {
  const { url, model, key, stream, timeoutMs } = settings;
  const limit = AbortSignal.timeout(timeoutMs);
  const body = {
    model,
    messages,
    tools,
    ...(temperature === undefined ? {} : { temperature }),
    ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
  };
  try {
    const response = await send({ method: 'POST', url: `${url}/chat/completions`, key, body, signal: AbortSignal.any([signal, limit]) });
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await wholeText(response));
    return await read(response, onPart);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentFailure) throw error;
    if (limit.aborted) throw unavailable(`did not respond within ${timeoutMs} ms (--openai-timeout-ms)`, error);
    throw unavailable(`cannot be reached: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`, error);
  }
};
