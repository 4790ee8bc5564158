// What the package offers to programs: a worker inside another program, and what it takes to write a tool for one.
export { type AgentOptions, WorkerAgent, WorkerRevoked } from './agent.ts';
export { enrol, EnrolledOtherwise, type Identity, NotEnrolled } from './enrolment.ts';
export { prepareIsolation } from './isolation/prepare.ts';
export type { JobSettings } from './job-context.ts';
export { createJournal, type Journal } from './journal.ts';
export { collectLeftovers } from './leftovers.ts';
export { StateFile } from './state.ts';
export { createTools } from './tools/registry.ts';
export * from './tools/adapter.ts';
