import type { Json } from '../../../schema/json.ts';
import { AgentFailure } from './agent-failure.ts';
import type { AdapterHost, Job } from '../tools/adapter.ts';
import { type CommandRules, endOf, runAllowed } from '../process/allowed-command.ts';
import { resolveCommand } from '../process/find-command.ts';
import { Tail } from '../process/output-tail.ts';

type Commands = readonly (readonly string[])[];

/** Throws denied, before any work is done, if the worker does not allow one of the commands. */
export const checkAllowed = async (rules: CommandRules, host: AdapterHost, commands: Commands): Promise<void> => {
  for (const [name = ''] of commands)
    await resolveCommand(name, rules.allow, host.workspace).catch((error: unknown) => {
      // A command that does not exist yet may be created by the agent.
      if (!(error instanceof AgentFailure && error.failureClass === 'spawn_failed')) throw error;
    });
};

/** Runs the verify commands with the result on stdin. Throws verify_failed with the last output of the first command that fails. */
export const verify = async (rules: CommandRules, job: Job, host: AdapterHost, commands: Commands, result: Json): Promise<void> => {
  const stdin = JSON.stringify({ goal: job.goal, input: job.input, result });
  for (const argv of commands) {
    const tail = new Tail();
    host.emit({ type: 'tool', name: 'verify', detail: argv.join(' ') });
    const finished = await runAllowed(rules, job, host, { argv, stdin, onOutput: (_, bytes) => tail.add(bytes) });
    const text = tail.text(host.redact);
    if (finished.code !== 0) throw new AgentFailure('verify_failed', `verify: ${argv.join(' ')}: ${endOf(finished)}${text && `\n${text}`}`);
  }
};
