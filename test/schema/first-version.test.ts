import { describe, expect, it } from 'vitest';
import { ROUTES } from '../../schema/routes.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const NOW = '2026-01-02T03:04:05Z';

const claimed = {
  subtask_id: ID,
  task_id: ID,
  key: 'a',
  kind: 'work',
  goal: 'say hello',
  task_goal: 'say hello',
  tool: 'exec',
  input: {},
  inputs: { before: { subtask_id: ID, status: 'completed', result: 1, result_artifact_id: null, included: true } },
  labels: {},
  timeout_seconds: 60,
  attempt: 1,
  lease_token: ID,
  lease_seconds: 60,
  started: true,
};
const claim = { claimed: [claimed], empty_reason: null, claim_poll_ms: 1_000 };
const intervals = { idle_heartbeat_ms: 1, busy_heartbeat_ms: 1, claim_poll_ms: 1, lease_ms: 1 };
const worker = {
  worker_id: ID,
  name: 'one',
  machine_name: 'one',
  status: 'online',
  mode: 'active',
  tools: ['exec'],
  labels: {},
  slots: 1,
  running: 0,
  owner_ids: null,
  agent_version: '0.1.0',
  version: 1,
  last_seen_at: NOW,
  registered_at: NOW,
};

/** The responses of the first version of the platform to workers; they do not change with the contracts. */
const ANSWERS = {
  getHealth: { status: 'healthy', app: 'x', version: '0.1.0', services: { database: 'connected', redis: 'connected' } },
  registerWorker: { worker, credential: 'x', intervals },
  heartbeat: { leases: [{ subtask_id: ID, attempt: 1, state: 'renewed', directive: null }], mode: 'active', intervals, credential: null },
  createWorkerTicket: { url: 'ws://here/ws', expires_at: NOW },
  claimSubtasks: claim,
  startSubtask: { subtask_id: ID, status: 'running' },
  completeSubtasks: { results: [{ ok: true, subtask_id: ID, status: 'completed', task_status: 'running' }], claim },
  failSubtask: { subtask_id: ID, status: 'failed', task_status: 'failed' },
  releaseSubtask: { subtask_id: ID, status: 'ready', task_status: 'running' },
  appendLogs: { next_chunk: 1 },
} as const;

describe('a response of the first version of the platform', () => {
  it.each(Object.keys(ANSWERS) as (keyof typeof ANSWERS)[])('to %s is read by workers of this version', (name) => {
    expect(ROUTES[name].output.safeParse(ANSWERS[name]).error).toBeUndefined();
  });
});
