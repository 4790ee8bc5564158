import type { AgentAdapter } from './adapter.ts';
import { createExec, type ExecSettings } from './exec/exec.ts';
import { createOpenAi, type OpenAiSettings } from './openai/openai-http.ts';
import { scripted } from './scripted/scripted.ts';

/** `openai` is null if no model is configured. */
export type ToolSettings = { exec: ExecSettings; openai: OpenAiSettings | null };

const FACTORIES: Record<string, (settings: ToolSettings) => AgentAdapter> = {
  scripted: () => scripted,
  exec: ({ exec }) => createExec(exec),
  'openai-http': ({ openai }) => {
    if (openai === null) throw new Error('the tool openai-http requires --openai-url and --openai-model');
    return createOpenAi(openai);
  },
};

/** Creates tools by name; throws for an unknown name. */
export const createTools = (names: readonly string[], settings: ToolSettings): AgentAdapter[] =>
  names.map((name) => {
    const make = Object.hasOwn(FACTORIES, name) ? FACTORIES[name] : undefined;
    if (make === undefined) throw new Error(`unknown tool ${name}; available: ${Object.keys(FACTORIES).join(', ')}`);
    return make(settings);
  });
