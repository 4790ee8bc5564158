import type { FailureClass } from '../../../schema/task.ts';

/** Work that did not succeed, with the class that decides whether it is repeated. */
export class AgentFailure extends Error {
  readonly failureClass: FailureClass;

  constructor(failureClass: FailureClass, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'AgentFailure';
    this.failureClass = failureClass;
  }
}
