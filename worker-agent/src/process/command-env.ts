import { join } from 'node:path';
import type { AdapterHost, Job } from '../tools/adapter.ts';
import { AgentFailure } from '../attempt/agent-failure.ts';

export const RESULT_FILE = '.maw-result';

// With these variables an allowed command could run something else. This prevents surprises; it is not a security boundary.
const REFUSED =
  /^(MAW_|LD_|DYLD_|PATH$|NODE_OPTIONS$|BASH_ENV$|ENV$|GIT_SSH|GIT_EXEC_PATH$|PYTHONSTARTUP$|PYTHONPATH$|PERL5OPT$|RUBYOPT$)/i;

/** The environment variables that a subtask declares for its command, and those that identify the attempt. */
export const commandEnv = (job: Job, host: AdapterHost, declared: Record<string, string>): Record<string, string> => {
  const refused = Object.keys(declared).filter((name) => REFUSED.test(name));
  if (refused.length > 0) throw new AgentFailure('denied', `A subtask may not set the environment variables ${refused.join(', ')}`);
  return {
    ...declared,
    MAW_TASK_ID: job.task_id,
    MAW_SUBTASK_ID: job.subtask_id,
    MAW_ATTEMPT: String(job.attempt),
    MAW_RESULT_FILE: join(host.workspace, RESULT_FILE),
  };
};
