import { ApiError } from '../../../schema/client/client.ts';

/** A service is not to start a worker again that ended with usage or not_enrolled: that mends nothing. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, not_enrolled: 4 } as const;

/** An error for a person: what is wrong, and what to do next. */
export class CommandError extends Error {
  readonly next: string;
  readonly exitCode: number;

  constructor(message: string, next: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'CommandError';
    this.next = next;
    this.exitCode = options.exitCode ?? EXIT.failed;
  }
}

export class UsageError extends CommandError {
  constructor(message: string, next: string, options: { cause?: unknown } = {}) {
    super(message, next, { ...options, exitCode: EXIT.usage });
    this.name = 'UsageError';
  }
}

export const ENROL_AGAIN = 'make a token (maw enrol --tools …), and run here the line that this prints';

const NEXT: Record<string, string> = {
  unreachable: 'is the platform running there? Set its address with --url or MAW_URL',
  redirected: 'set that address with --url or MAW_URL',
  invalid_answer: 'check --url: something else may answer there',
  unauthenticated: 'set a valid API key with --api-key or MAW_API_KEY',
  forbidden: 'use a key that has the scope',
  task_not_found: 'maw list shows the tasks',
  subtask_not_found: 'maw get TASK_ID shows the subtasks',
  task_ended: 'maw retry TASK_ID opens a new run of what failed',
  task_not_ended: 'wait for its end, or cancel it: maw cancel TASK_ID',
  enrolment_refused: 'make a new token: maw enrol --tools …',
  enrolment_mismatch: 'start the worker with the tools of the token, or make another token: maw enrol --tools …',
  unavailable: 'repeat it in a moment',
};

const ofApi = (error: ApiError): CommandError => {
  const { problem, code, status } = error;
  const fields = problem.errors.map(({ path, message }) => `\n  ${path}: ${message}`).join('');
  const id = status >= 500 && problem.request_id ? ` (request id ${problem.request_id})` : '';
  const next = NEXT[code] ?? (status >= 500 ? 'repeat it in a moment; if it stays, ask the operator' : 'mend the request and repeat it');
  const exitCode = code === 'unreachable' ? EXIT.unreachable : EXIT.failed;
  return new CommandError(`${problem.detail}${id}${fields}`, next, { exitCode, cause: error });
};

/** Any error as a person is to see it; null for one that nobody foresaw. */
export const toCommandError = (error: unknown): CommandError | null => {
  if (error instanceof CommandError) return error;
  return error instanceof ApiError ? ofApi(error) : null;
};
