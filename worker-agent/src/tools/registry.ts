import { createExec, type ExecSettings } from './exec.ts';
import { scripted } from './scripted.ts';
import type { AgentAdapter } from './adapter.ts';

const TOOL_NAMES = ['scripted', 'exec'] as const;

/** The tools that this worker drives, by their names; throws on a name that it does not know. */
export const createTools = (names: readonly string[], exec: ExecSettings): AgentAdapter[] => {
  const known = new Map<string, AgentAdapter>([scripted, createExec(exec)].map((tool) => [tool.id, tool]));
  return names.map((name) => {
    const tool = known.get(name);
    if (tool === undefined) throw new Error(`there is no tool ${name}; this version has ${TOOL_NAMES.join(', ')}`);
    return tool;
  });
};
