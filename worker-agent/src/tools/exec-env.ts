import { join } from 'node:path';
import type { AdapterHost, Job } from './adapter.ts';
import { AgentFailure } from './adapter.ts';

export const RESULT_FILE = '.maw-result';

// Not a boundary but a help against surprise: these make an allowed command run something else.
const REFUSED =
  /^(MAW_|LD_|DYLD_|PATH$|NODE_OPTIONS$|BASH_ENV$|ENV$|GIT_SSH|GIT_EXEC_PATH$|PYTHONSTARTUP$|PYTHONPATH$|PERL5OPT$|RUBYOPT$)/i;

const passedOn = (): Record<string, string> => {
  const names =
    process.platform === 'win32'
      ? ['PATH', 'SystemRoot', 'PATHEXT', 'ComSpec', 'TEMP', 'TMP', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA']
      : ['PATH', 'HOME'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
};

/** The environment of a command, built from empty: nothing of the worker's own goes along, least of all its credential. */
export const commandEnv = (job: Job, host: AdapterHost, declared: Record<string, string>): Record<string, string> => {
  const refused = Object.keys(declared).filter((name) => REFUSED.test(name));
  if (refused.length > 0) throw new AgentFailure('denied', `A subtask may not set the environment variables ${refused.join(', ')}`);
  return {
    ...passedOn(),
    LANG: process.env.LANG ?? 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
    CI: '1',
    ...declared,
    MAW_TASK_ID: job.task_id,
    MAW_SUBTASK_ID: job.subtask_id,
    MAW_ATTEMPT: String(job.attempt),
    MAW_WORKSPACE: host.workspace,
    MAW_RESULT_FILE: join(host.workspace, RESULT_FILE),
  };
};
