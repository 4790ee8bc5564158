import { ApiError } from '../../../schema/client/client.ts';

/** A service must not restart a worker that exited with usage or not_enrolled: a restart cannot fix these. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, not_enrolled: 4 } as const;

/** An error for the user: what is wrong, and what to do next. */
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

export const ENROL_AGAIN = 'create a token (maw enrol --tools …), and run the command that it prints on this machine';

const NEXT: Record<string, string> = {
  unreachable: 'check that the platform is running at this address, or set another one with --url or MAW_URL',
  redirected: 'set that address with --url or MAW_URL',
  invalid_answer: 'check --url: another service may be running at this address',
  unauthenticated: 'set a valid API key with --api-key or MAW_API_KEY',
  forbidden: 'use an API key that has this scope',
  task_not_found: 'maw list shows the tasks',
  subtask_not_found: 'maw get TASK_ID shows the subtasks',
  task_ended: 'maw retry TASK_ID retries the subtasks that failed',
  task_not_ended: 'wait until it ends, or cancel it: maw cancel TASK_ID',
  enrolment_refused: 'create a new token: maw enrol --tools …',
  enrolment_mismatch: 'start the worker with the tools of the token, or create another token: maw enrol --tools …',
  unavailable: 'try again in a moment',
};

const ofApi = (error: ApiError): CommandError => {
  const { problem, code, status } = error;
  const fields = problem.errors.map(({ path, message }) => `\n  ${path}: ${message}`).join('');
  const id = status >= 500 && problem.request_id ? ` (request id ${problem.request_id})` : '';
  const next =
    NEXT[code] ?? (status >= 500 ? 'try again in a moment; if the error persists, ask the operator' : 'correct the request and try again');
  const exitCode = code === 'unreachable' ? EXIT.unreachable : EXIT.failed;
  return new CommandError(`${problem.detail}${id}${fields}`, next, { exitCode, cause: error });
};

/** The error to show to the user; null for an unexpected one. */
export const toCommandError = (error: unknown): CommandError | null => {
  if (error instanceof CommandError) return error;
  return error instanceof ApiError ? ofApi(error) : null;
};
