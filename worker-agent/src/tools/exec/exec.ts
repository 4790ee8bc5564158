import { type CommandRules, endOf, runAllowed } from '../../process/allowed-command.ts';
import { findCommand } from '../../process/find-command.ts';
import { ExecInput } from './exec-input.ts';
import { resultOf, tooLarge } from './exec-result.ts';
import { parseInput } from '../parse-input.ts';
import { promptOf } from '../prompt.ts';
import { Tail } from '../../process/output-tail.ts';
import { AgentFailure } from '../../attempt/agent-failure.ts';
import type { Check, AdapterHost, Job, Outcome, AgentAdapter } from '../adapter.ts';

export type ExecSettings = CommandRules & { logins: readonly string[]; maxResultBytes: number };

const stdinOf = async (kind: ExecInput['stdin'], job: Job): Promise<string | undefined> => {
  if (kind === 'none') return undefined;
  const inputs = await job.inputs();
  return kind === 'prompt' ? promptOf(job.goal, inputs) : JSON.stringify({ goal: job.goal, input: job.input, inputs });
};

/** Collects the output of a command up to a limit: stdout for the result, the end of stderr for the error message. */
class Output {
  readonly stderr = new Tail();
  readonly #maxBytes: number;
  readonly #stdout: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    if (stream === 'stderr') return this.stderr.add(bytes);
    this.#bytes += bytes.length;
    if (!this.isTooLarge) this.#stdout.push(bytes);
  }

  get isTooLarge(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString('utf8');
  }
}

const run = async ({ maxResultBytes, ...rules }: ExecSettings, job: Job, host: AdapterHost): Promise<Outcome> => {
  const input = parseInput(ExecInput, job.input, 'exec');
  const { argv, env } = input;
  const stdin = await stdinOf(input.stdin, job);
  const output = new Output(maxResultBytes);
  const onOutput = (stream: 'stdout' | 'stderr', bytes: Buffer) => output.add(stream, bytes);

  const { cwd, ...finished } = await runAllowed(rules, job, host, { argv, cwd: input.cwd, env, stdin, onOutput });

  const tail = output.stderr.text(host.redact);
  if (finished.code !== 0) throw new AgentFailure('tool_error', `${argv[0]}: ${endOf(finished)}${tail && `\n${tail}`}`);
  if (output.isTooLarge && input.result !== 'file') throw tooLarge('The output of the command', maxResultBytes);
  const places = { workspace: host.workspace, cwd, roots: rules.roots, maxBytes: maxResultBytes };
  return { ended: 'end_turn', result: await resultOf(input, output.stdout, places) };
};

const probe = async ({ allow }: ExecSettings): Promise<Check[]> => {
  if (allow.length === 0)
    return [
      {
        level: 'warn',
        message: 'exec: no command is allowed, so every exec subtask fails',
        next: 'allow some: --exec-allow git,node',
      },
    ];
  return Promise.all(
    allow.map(async (name): Promise<Check> => {
      if (name === '*')
        return {
          level: 'warn',
          message: 'exec: every command is allowed',
          next: 'allow only the commands that you need: --exec-allow git',
        };
      const found = await findCommand(name);
      if (found !== null) return { level: 'ok', message: `exec: ${name} is ${found}` };
      return { level: 'fail', message: `exec: ${name} is not on the PATH`, next: `install ${name}, or remove it from --exec-allow` };
    }),
  );
};

/** Runs a command that the owner of the worker allowed, with argv unchanged and without a shell. */
export const createExec = (settings: ExecSettings): AgentAdapter => ({
  id: 'exec',
  logins: settings.logins,
  probe: () => probe(settings),
  start: (job, host) => ({ done: run(settings, job, host) }),
});
