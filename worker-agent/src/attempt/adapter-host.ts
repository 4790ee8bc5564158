import { sep } from 'node:path';
import { attachArtifact } from '../report/artifacts.ts';
import type { JobContext } from './job-context.ts';
import type { LogSender } from '../report/log-sender.ts';
import { isolate } from '../process/isolation/isolate.ts';
import { provideLogins } from '../process/isolation/logins.ts';
import { MARK } from '../process/mark.ts';
import type { RunningJob } from './running-job.ts';
import { runCommand } from '../process/spawn.ts';
import type { AdapterHost, AgentEvent, Usage } from '../tools/adapter.ts';
import type { Workspace } from './workspace.ts';

/** What the worker records from the events of one attempt. */
export type Observations = {
  usage?: Usage;
  /** Which time limit was exceeded, for the failure message. */
  timeoutMessage?: string;
};

const line = (text: string) => (text.endsWith('\n') ? text : `${text}\n`);

const observe = (ctx: JobContext, event: AgentEvent, job: RunningJob, logs: LogSender, observed: Observations): void => {
  switch (event.type) {
    case 'log':
      return logs.write(event.stream, event.text);
    case 'message':
      return logs.write('stdout', line(event.text));
    case 'tool':
      return logs.write('system', line(`${event.name} ${event.detail}`));
    case 'warning':
      return logs.write('system', line(`warning: ${event.message}`));
    case 'progress':
      return job.report(event.message === undefined ? event : { ...event, message: ctx.redactor.text(event.message) });
    case 'usage':
      observed.usage = event.usage;
      return undefined;
    case 'alive':
  }
};

const createSpawn = (ctx: JobContext, job: RunningJob, workspace: Workspace, logs: LogSender): AdapterHost['spawn'] => {
  const logins = ctx.adapters.get(job.claimed.tool)?.logins ?? [];
  let loginsReady: Promise<void> | undefined;
  let started = 0;
  const supervision = {
    stop: { signal: job.work, urgent: job.urgent, graceMs: ctx.settings.killGraceMs },
    limits: ctx.settings.limits,
    onSurvivors: (pids: number[]) =>
      logs.write('system', `Processes that the command left running could not be ended: ${pids.join(', ')}\n`),
  };
  return async (file, args, { cwd, env, signal, ...options }) => {
    await (loginsReady ??= provideLogins(logins, workspace.home));
    const id = `${workspace.root}${sep}${++started}.`;
    const mark = `${MARK}=${id}`;
    const own = { ...env, MAW_WORKSPACE: workspace.path, [MARK]: id };
    const command = isolate(ctx.settings.isolation, workspace, { file, args, cwd, env: own });
    const stop = signal ? { ...supervision.stop, signal: AbortSignal.any([job.work, signal]) } : supervision.stop;
    job.assertWorking();
    return runCommand(command, options, { ...supervision, stop, mark, onStarted: (root) => job.addTree(root, mark) });
  };
};

/** What an adapter may use of the worker while it runs one job. */
export const createHost = (
  ctx: JobContext,
  job: RunningJob,
  workspace: Workspace,
  logs: LogSender,
  observed: Observations,
): AdapterHost => ({
  signal: job.work,
  workspace: workspace.path,
  emit: (event) => observe(ctx, event, job, logs, observed),
  redact: (text) => ctx.redactor.text(text),
  spawn: createSpawn(ctx, job, workspace, logs),
  artifact: (file) => attachArtifact(ctx, job, file),
});
