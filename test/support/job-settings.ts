import type { JobSettings } from '../../worker-agent/src/attempt/job-context.ts';

/** The settings with which workers in tests run their subtasks. */
export const jobSettings = (workspaces: string): JobSettings => ({
  workspaces,
  keepWorkspaces: false,
  isolation: { kind: 'env' },
  limits: { memoryBytes: 2 ** 30, outputBytes: 2 ** 28 },
  killGraceMs: 100,
  idleTimeoutSeconds: 0,
  firstEventTimeoutSeconds: 0,
  commands: { allow: ['*'], roots: [] },
  maxLogBytes: 1_000_000,
  maxResultBytes: 2_000_000,
  reportForMs: 5_000,
  spoolFolder: `${workspaces}-spool`,
  maxSpoolBytes: 10_000_000,
});
