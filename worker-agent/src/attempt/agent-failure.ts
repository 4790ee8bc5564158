import type { FailureClass } from '../../../schema/task.ts';

/** The work failed. The class decides whether the platform tries it again. */
export class AgentFailure extends Error {
  readonly failureClass: FailureClass;

  constructor(failureClass: FailureClass, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'AgentFailure';
    this.failureClass = failureClass;
  }
}
