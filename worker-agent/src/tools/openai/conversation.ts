import { setTimeout as wait } from 'node:timers/promises';
import type { Json } from '../../../../schema/json.ts';
import { AgentFailure } from '../../attempt/agent-failure.ts';
import type { AdapterHost, Outcome } from '../adapter.ts';
import { type Answer, ask, type ChatSettings, type Message, type ToolCall } from './chat.ts';
import type { Toolbox } from './toolbox.ts';

export type ConversationSettings = ChatSettings & {
  maxTurns: number;
  /** The waits between attempts to reach a server that is busy or unavailable. */
  retryWaitsMs: readonly number[];
};

const CALLS_PER_TURN = 32;
const REPAIR_TURNS = 5;
const RETRYABLE = ['rate_limited', 'model_unavailable'];

type ConversationOptions = {
  settings: ConversationSettings;
  host: AdapterHost;
  toolbox: Toolbox;
  temperature: number | undefined;
  wantsJson: boolean;
};

/** A session with a model: its messages and its usage so far. */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #messages: Message[];
  readonly #used = { requests: 0, input_tokens: 0, output_tokens: 0 };
  #isIncomplete = false;

  constructor(options: ConversationOptions, system: string) {
    this.#options = options;
    this.#messages = [{ role: 'system', content: system }];
  }

  begin(prompt: string): Promise<Outcome> {
    return this.#turns(prompt, this.#options.settings.maxTurns);
  }

  send(message: string): Promise<Outcome> {
    return this.#turns(message, Math.min(REPAIR_TURNS, this.#options.settings.maxTurns));
  }

  async #turns(message: string, maxTurns: number): Promise<Outcome> {
    this.#messages.push({ role: 'user', content: message });
    for (let turn = 0; turn < maxTurns; turn++) {
      const outcome = await this.#turn();
      if (outcome !== null) return outcome;
    }
    return { ended: 'max_turns' };
  }

  /** Null if the model continues with another turn. */
  async #turn(): Promise<Outcome | null> {
    const { host, toolbox } = this.#options;
    const answer = await this.#ask();
    const { content, calls, finish } = answer;
    this.#messages.push({ role: 'assistant', content: content || null, ...(calls.length > 0 ? { tool_calls: calls } : {}) });
    if (content) host.emit({ type: 'message', text: content });
    if (finish === 'content_filter') return { ended: 'refusal' };
    // Tool calls of an incomplete answer are not executed.
    if (finish === 'length') return { ended: 'max_tokens' };
    if (calls.length === 0) return this.#ended(content);
    for (const [at, call] of calls.entries()) await this.#use(call, at);
    const submitted = toolbox.takeResult();
    return submitted === null ? null : { ended: 'end_turn', ...submitted };
  }

  async #use(call: ToolCall, at: number): Promise<void> {
    const { host, toolbox } = this.#options;
    host.signal.throwIfAborted();
    const content = at < CALLS_PER_TURN ? await toolbox.use(call) : `error: at most ${CALLS_PER_TURN} tool calls are executed in one turn`;
    this.#messages.push({ role: 'tool', tool_call_id: call.id, content });
  }

  #ended(content: string): Outcome {
    if (content.trim() === '') return { ended: 'end_turn' };
    return { ended: 'end_turn', result: this.#options.wantsJson ? jsonIn(content) : content };
  }

  async #ask(): Promise<Answer> {
    const { settings, host } = this.#options;
    for (let tries = 0; ; tries++)
      try {
        return await this.#askOnce();
      } catch (error) {
        const waitMs = settings.retryWaitsMs[tries];
        if (!(error instanceof AgentFailure) || !RETRYABLE.includes(error.failureClass) || waitMs === undefined) throw error;
        host.emit({ type: 'warning', message: `${error.message} (retrying in ${waitMs} ms)` });
        await wait(waitMs, undefined, { signal: host.signal });
      }
  }

  async #askOnce(): Promise<Answer> {
    const { settings, host, toolbox, temperature } = this.#options;
    this.#used.requests++;
    let answer: Answer | undefined;
    try {
      const asked = { messages: this.#messages, tools: toolbox.definitions, temperature };
      answer = await ask(settings, asked, host.signal, () => host.emit({ type: 'alive' }));
      return answer;
    } finally {
      this.#count(answer?.tokens ?? null);
    }
  }

  #count(tokens: Answer['tokens']): void {
    const used = this.#used;
    if (tokens === null) this.#isIncomplete = true;
    used.input_tokens += tokens?.input ?? 0;
    used.output_tokens += tokens?.output ?? 0;
    const usage = { model: this.#options.settings.model, ...used, ...(this.#isIncomplete ? { incomplete: true } : {}) };
    this.#options.host.emit({ type: 'usage', usage });
  }
}

/** The JSON in the answer of a model, also inside a code fence; the text itself if there is none. */
const jsonIn = (content: string): Json => {
  const [, fenced] = /```(?:json)?\s*\n([\s\S]*?)```/.exec(content) ?? [];
  for (const text of [content, fenced])
    try {
      if (text !== undefined) return JSON.parse(text) as Json;
    } catch {
      // The next candidate may be JSON.
    }
  return content;
};
