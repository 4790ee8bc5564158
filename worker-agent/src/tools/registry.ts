import type { AgentAdapter } from './adapter.ts';
import { createExec, type ExecSettings } from './exec/exec.ts';
import { createOpenAi, type OpenAiSettings } from './openai/openai-http.ts';
import { scripted } from './scripted/scripted.ts';

/** `openai` is null where no model is set. */
export type ToolSettings = { exec: ExecSettings; openai: OpenAiSettings | null };

const MAKES: Record<string, (settings: ToolSettings) => AgentAdapter> = {
  scripted: () => scripted,
  exec: ({ exec }) => createExec(exec),
  'openai-http': ({ openai }) => {
    if (openai === null) throw new Error('the tool openai-http needs --openai-url and --openai-model');
    return createOpenAi(openai);
  },
};

/** The tools that this worker drives, by their names; throws on a name that it does not know. */
export const createTools = (names: readonly string[], settings: ToolSettings): AgentAdapter[] =>
  names.map((name) => {
    const make = Object.hasOwn(MAKES, name) ? MAKES[name] : undefined;
    if (make === undefined) throw new Error(`there is no tool ${name}; this version has ${Object.keys(MAKES).join(', ')}`);
    return make(settings);
  });
