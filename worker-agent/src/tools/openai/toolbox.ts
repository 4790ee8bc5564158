import * as z from 'zod';
import type { Json } from '../../../../schema/json.ts';
import { AgentFailure } from '../../attempt/agent-failure.ts';
import type { AdapterHost, Job } from '../adapter.ts';
import { type CommandRules, endOf, runAllowed } from '../../process/allowed-command.ts';
import { Tail } from '../../process/output-tail.ts';
import type { ToolCall } from './chat.ts';
import { listNames, readText, writeText } from './files.ts';

type Context = { job: Job; host: AdapterHost; rules: CommandRules };
type Tool<S extends z.ZodType = z.ZodType> = {
  description: string;
  input: S;
  /** The detail of a call for the log. */
  detail(input: z.output<S>): string;
  run(input: z.output<S>, context: Context): Promise<string>;
};

const COMMAND_TAIL = 20_000;
const path = z.string().min(1).max(4_096);
const tool = <S extends z.ZodType>(it: Tool<S>): Tool => it;

const FILES = {
  read_file: tool({
    description: 'Read a text file in the workspace',
    input: z.object({ path }),
    detail: (it) => it.path,
    run: (it, { host }) => readText(host.workspace, it.path),
  }),
  write_file: tool({
    description: 'Write a text file in the workspace; its folders are created, and an existing file is replaced',
    input: z.object({ path, content: z.string() }),
    detail: (it) => it.path,
    run: async (it, { host }) => {
      await writeText(host.workspace, it.path, it.content);
      return 'written';
    },
  }),
  list_files: tool({
    description: 'List the names in a folder of the workspace',
    input: z.object({ path: path.default('.') }),
    detail: (it) => it.path,
    run: (it, { host }) => listNames(host.workspace, it.path),
  }),
};

const runCommand = ({ allow }: CommandRules) =>
  tool({
    description: `Run a command in the workspace, without a shell. ${allow.includes('*') ? '' : `Allowed commands: ${allow.join(', ')}`}`,
    input: z.object({
      argv: z.array(z.string().refine((it) => !it.includes('\u0000'), 'must not contain U+0000')).min(1),
      timeout_seconds: z.number().min(1).max(3_600).default(120),
    }),
    detail: (it) => it.argv.join(' '),
    run: async ({ argv, timeout_seconds }, { job, host, rules }) => {
      const tail = new Tail(COMMAND_TAIL);
      const signal = AbortSignal.timeout(timeout_seconds * 1_000);
      const finished = await runAllowed(rules, job, host, { argv, signal, onOutput: (_, bytes) => tail.add(bytes) });
      const end = signal.aborted ? `stopped after ${timeout_seconds} s` : endOf(finished);
      return `${end}\n${tail.text(host.redact)}`;
    },
  });

const SUBMIT = 'submit_result';
const hasReferences = (schema: Json) => JSON.stringify(schema).includes('"$ref"');

const definition = (name: string, description: string, parameters: unknown) => ({
  type: 'function',
  function: { name, description, parameters },
});

/** The tools that the model can use on this worker: their definitions, and their execution. */
export class Toolbox {
  readonly definitions: readonly unknown[];
  readonly #context: Context;
  readonly #tools: ReadonlyMap<string, Tool>;
  #submitted: { result: Json } | null = null;

  constructor(context: Context) {
    const { rules, job } = context;
    this.#context = context;
    this.#tools = new Map(Object.entries(rules.allow.length > 0 ? { ...FILES, run_command: runCommand(rules) } : FILES));
    const result = job.result_schema === null || hasReferences(job.result_schema) ? {} : job.result_schema;
    this.definitions = [
      ...[...this.#tools].map(([name, it]) => definition(name, it.description, z.toJSONSchema(it.input, { io: 'input' }))),
      definition(SUBMIT, 'Submit the result and end the work', { type: 'object', properties: { result }, required: ['result'] }),
    ];
  }

  /** The result that was submitted since the last call, if any. */
  takeResult(): { result: Json } | null {
    const submitted = this.#submitted;
    this.#submitted = null;
    return submitted;
  }

  /** Executes a tool call and returns the answer for the model; errors are returned as text, so that the model can correct them. */
  async use({ function: { name, arguments: text } }: ToolCall): Promise<string> {
    const { host } = this.#context;
    try {
      const given: unknown = JSON.parse(text || '{}');
      if (name === SUBMIT) return this.#submit(given);
      const found = this.#tools.get(name);
      if (found === undefined) return `error: there is no tool ${name}; available: ${[...this.#tools.keys(), SUBMIT].join(', ')}`;
      const input = found.input.parse(given);
      host.emit({ type: 'tool', name, detail: found.detail(input) });
      return await found.run(input, this.#context);
    } catch (error) {
      host.signal.throwIfAborted();
      return `error: ${explain(error)}`;
    }
  }

  #submit(given: unknown): string {
    const { result } = z.object({ result: z.json() }).parse(given);
    this.#submitted = { result };
    this.#context.host.emit({ type: 'tool', name: SUBMIT, detail: '' });
    return 'received';
  }
}

const explain = (error: unknown): string => {
  if (error instanceof SyntaxError) return `the arguments are not JSON: ${error.message}`;
  if (error instanceof z.ZodError) return error.issues.map((it) => `${it.path.join('.')}: ${it.message}`).join('; ');
  if (error instanceof AgentFailure) return error.message;
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
};
