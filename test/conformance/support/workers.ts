import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Claimed } from '../../../schema/attempt.ts';
import { createClient } from '../../../schema/client/client.ts';
import type { Json } from '../../../schema/json.ts';
import { type Running, run } from '../../support/processes.ts';
import type { Owner } from './target.ts';

const TOOLS = ['exec', 'scripted'];
const enrolment = ({ client, owner_id }: Owner) => client.createEnrolmentToken({ body: { tools: TOOLS, owner_ids: [owner_id] } });

/** Starts worker agents as processes with the `maw` command; they are killed when the test ends. */
export const startWorkers = async (owner: Owner, count: number): Promise<Running[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'maw-conformance-workers-'));
  const workers: Running[] = [];
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.kill('SIGKILL')));
    await rm(folder, { recursive: true, force: true });
  });
  for (let n = 0; n < count; n++) {
    const { enrolment_token } = await enrolment(owner);
    const name = `conformance-${n}`;
    const flags = ['--url', owner.url, '--enrol-token', enrolment_token, '--name', name, '--state-dir', join(folder, name)];
    workers.push(run(['worker-agent/bin/maw.mjs', 'worker', 'start', ...flags, '--tools', TOOLS.join(), '--exec-allow', 'node']));
  }
  return workers;
};

/** Enrols a worker without an agent: the test sends each of its requests. */
export const enrolByHand = async (owner: Owner) => {
  const { enrolment_token } = await enrolment(owner);
  const spec = { name: 'by-hand', machine_name: 'conformance', tools: TOOLS, slots: 8 };
  const { worker, credential } = await createClient({ url: owner.url, token: enrolment_token }).registerWorker({ body: spec });
  const client = createClient({ url: owner.url, token: credential });
  const params = { worker_id: worker.worker_id };
  const fence = ({ lease_token, attempt }: Claimed) => ({ lease_token, attempt });
  const of = ({ subtask_id }: Claimed) => ({ subtask_id });
  return {
    worker_id: worker.worker_id,
    client,
    fence,
    /** With `tools`, which a worker process always sends, the platform asks Redis first. */
    claim: async (claimRequestId: string = randomUUID(), tools?: string[]) => {
      const body = { claim_request_id: claimRequestId, limit: 1, start: true, ...(tools ? { tools } : {}) };
      return (await client.claimSubtasks({ params, body })).claimed;
    },
    complete: (it: Claimed, result: Json = null) => client.completeSubtask({ params: of(it), body: { ...fence(it), result } }),
  };
};
