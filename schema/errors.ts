import * as z from 'zod';

/** Every error code that a caller can receive, with its HTTP status and title. */
export const ERRORS = {
  invalid_request: [400, 'The request does not match what this operation accepts'],
  invalid_json: [400, 'The request body is not valid JSON'],
  unauthenticated: [401, 'The request has no valid credential'],
  worker_revoked: [401, 'This worker was removed; enrol it again'],
  forbidden: [403, 'The credential does not allow this operation'],
  not_found: [404, 'No operation exists at this path'],
  task_not_found: [404, 'No such task'],
  subtask_not_found: [404, 'No such subtask'],
  worker_not_found: [404, 'No such worker'],
  artifact_not_found: [404, 'No such artifact'],
  api_key_not_found: [404, 'No such API key'],
  method_not_allowed: [405, 'This path does not support this method'],
  lease_lost: [409, 'The lease is no longer valid: stop the work and send nothing more for this attempt'],
  attempt_ended: [409, 'This attempt has already ended with a different outcome'],
  task_ended: [409, 'The task has already ended'],
  task_not_ended: [409, 'The task has not ended yet; wait until it ends, or cancel it'],
  nothing_to_retry: [409, 'No subtask of this task failed, was cancelled or was skipped'],
  version_conflict: [412, 'The object has changed since it was read; read it again and repeat the request'],
  body_too_large: [413, 'The request body is too large'],
  unsupported_media_type: [415, 'The request body must be sent as application/json'],
  invalid_dag: [422, 'The subtasks do not form a directed acyclic graph within the limits'],
  idempotency_key_reused: [422, 'This Idempotency-Key was already used with a different request'],
  artifact_mismatch: [422, 'The uploaded bytes do not match the declared size or hash'],
  artifact_not_stored: [409, 'The bytes of this artifact have not been uploaded yet'],
  enrolment_refused: [401, 'The enrolment token is unknown, already used or expired'],
  enrolment_mismatch: [422, 'The worker requests more than its enrolment token allows'],
  too_many: [429, 'The maximum number of objects has been reached'],
  internal: [500, 'An internal error occurred; it was logged with the request id'],
  unavailable: [503, 'The service is temporarily unavailable; retry the request later'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof ERRORS;

/** An error that is returned to the caller unchanged: `message` must not contain internal details. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; errors?: readonly FieldError[] } = {}) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.errors = options.errors ?? [];
  }

  get status(): number {
    return ERRORS[this.code][0];
  }
}

export const FieldError = z
  .strictObject({
    path: z.string().describe('The location in the request, such as body.subtasks.3.key'),
    message: z.string().describe('What is wrong, and what is accepted instead'),
  })
  .meta({ id: 'FieldError' });
export type FieldError = z.infer<typeof FieldError>;

/** RFC 9457 problem details, extended by the error code, the invalid fields and the request id. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    errors: z.array(FieldError),
    request_id: z.string(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof Problem>;
