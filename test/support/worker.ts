import { randomUUID } from 'node:crypto';
import type { Claimed } from '../../schema/attempt.ts';
import type { Json } from '../../schema/json.ts';
import type { FailureClass } from '../../schema/task.ts';
import type { Backend } from './backend.ts';

export type TestWorker = Awaited<ReturnType<typeof enrol>>;
type Offer = { tools?: string[]; labels?: Record<string, string>; slots?: number; owner_ids?: string[]; name?: string };

/** Enrols a worker and returns methods that each send one request as that worker. */
export const enrol = async (
  backend: Backend,
  { tools = ['scripted'], labels = {}, slots = 64, owner_ids, name = 'tester' }: Offer = {},
) => {
  const { enrolment_token } = await backend.admin.ok.createEnrolmentToken({ body: { tools, labels, ...(owner_ids ? { owner_ids } : {}) } });
  const { worker, credential } = await backend
    .as(enrolment_token)
    .ok.registerWorker({ body: { name, machine_name: 'test', tools, slots } });
  const as = backend.as(credential);
  const params = { worker_id: worker.worker_id };
  const fence = ({ lease_token, attempt }: Claimed) => ({ lease_token, attempt });
  const at = ({ subtask_id }: Claimed) => ({ subtask_id });
  return {
    worker_id: worker.worker_id,
    credential,
    as,
    fence,
    claim: async (limit = 1, start = true): Promise<Claimed[]> =>
      (await as.ok.claimSubtasks({ params, body: { claim_request_id: randomUUID(), limit, start } })).claimed,
    claimReply: (claimRequestId: string, limit = 1, start = true) =>
      as.claimSubtasks({ params, body: { claim_request_id: claimRequestId, limit, start } }),
    start: (it: Claimed) => as.startSubtask({ params: at(it), body: fence(it) }),
    complete: (it: Claimed, result: Json = null) => as.completeSubtask({ params: at(it), body: { ...fence(it), result } }),
    fail: (it: Claimed, failure_class: FailureClass = 'tool_error', message = 'it broke') =>
      as.failSubtask({ params: at(it), body: { ...fence(it), failure_class, message } }),
    release: (it: Claimed) => as.releaseSubtask({ params: at(it), body: { ...fence(it), reason: 'test' } }),
    heartbeat: (held: readonly Claimed[] = []) =>
      as.heartbeat({ params, body: { leases: held.map((it) => ({ subtask_id: it.subtask_id, ...fence(it) })) } }),
  };
};

/** Completes subtasks until none is ready. Returns the completed ones in order. */
export const drain = async (worker: TestWorker, result: (it: Claimed) => Json = (it) => it.key): Promise<Claimed[]> => {
  const done: Claimed[] = [];
  for (let claimed = await worker.claim(50); claimed.length > 0; claimed = await worker.claim(50)) {
    for (const it of claimed) {
      if (!it.started) await worker.start(it);
      await worker.complete(it, result(it));
      done.push(it);
    }
  }
  return done;
};
