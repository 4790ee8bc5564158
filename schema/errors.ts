import * as z from 'zod';

/** Every error that a caller can see: one code, one status. */
export const ERRORS = {
  invalid_request: [400, 'The request does not have the form that this operation takes'],
  invalid_json: [400, 'The body is not JSON'],
  unauthenticated: [401, 'No valid credential came with the request'],
  worker_revoked: [401, 'This worker was removed; enrol it again'],
  forbidden: [403, 'The credential does not allow this operation'],
  not_found: [404, 'There is nothing at this address'],
  task_not_found: [404, 'No such task'],
  subtask_not_found: [404, 'No such subtask'],
  worker_not_found: [404, 'No such worker'],
  artifact_not_found: [404, 'No such artifact'],
  api_key_not_found: [404, 'No such API key'],
  method_not_allowed: [405, 'This address does not take this method'],
  lease_lost: [409, 'The lease is no longer current: stop the work and send nothing more for this attempt'],
  attempt_ended: [409, 'This attempt has already ended with another outcome'],
  task_ended: [409, 'The task has already ended'],
  task_not_ended: [409, 'The task has not ended yet; cancel it first or wait'],
  nothing_to_retry: [409, 'Nothing of this task failed, was cancelled or was skipped'],
  version_conflict: [412, 'The object has changed since it was read; read it again and repeat'],
  body_too_large: [413, 'The body is larger than this operation takes'],
  unsupported_media_type: [415, 'The body must be application/json'],
  invalid_dag: [422, 'The subtasks do not form a directed acyclic graph within the limits'],
  idempotency_key_reused: [422, 'This Idempotency-Key was used before with another request'],
  artifact_mismatch: [422, 'The bytes stored differ from the size or hash that was announced'],
  artifact_not_stored: [409, 'The bytes of this artifact were not uploaded yet'],
  enrolment_refused: [401, 'The enrolment token is unknown, used or expired'],
  enrolment_mismatch: [422, 'The worker asks for more than its enrolment token allows'],
  too_many: [429, 'A limit on the number of objects is reached'],
  internal: [500, 'Something went wrong here; it was logged under the request id'],
  unavailable: [503, 'A service behind this one did not answer; repeat the request later'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof ERRORS;

/** An error that is shown to the caller as it is: `message` must not carry anything internal. */
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
    path: z.string().describe('Where in the request, such as body.subtasks.3.key'),
    message: z.string().describe('What is wrong and what would be right'),
  })
  .meta({ id: 'FieldError' });
export type FieldError = z.infer<typeof FieldError>;

/** RFC 9457 problem details, with the project's code, the fields at fault and the request's id. */
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
