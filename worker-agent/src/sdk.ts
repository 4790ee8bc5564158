// The public API of the package: it runs a worker inside another program, and has the types for writing a tool adapter.
export { WorkerAgent, WorkerRevoked } from './agent/agent.ts';
export type { AgentOptions } from './agent/agent-options.ts';
export { enrol, EnrolledOtherwise, type Identity, NotEnrolled } from './agent/enrolment.ts';
export { prepareIsolation } from './process/isolation/prepare-isolation.ts';
export type { JobSettings } from './attempt/job-context.ts';
export { createLog, type Log } from './agent/worker-log.ts';
export { collectLeftovers } from './agent/leftovers.ts';
export { StateFile } from './agent/state-file.ts';
export { createTools } from './tools/registry.ts';
export * from './tools/adapter.ts';
export { AgentFailure } from './attempt/agent-failure.ts';
