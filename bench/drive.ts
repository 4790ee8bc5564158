import { randomUUID } from 'node:crypto';
import type { Context } from '../functions/domain/context.ts';
import type { WorkerPrincipal } from '../functions/domain/principal.ts';
import { claim, completeMany } from '../functions/domain/attempts/attempts.ts';
import type { Claimed } from '../schema/attempt.ts';
import type { ClaimSpec, CompleteManySpec } from '../schema/worker.ts';
import { send } from './http.ts';

type Answer = { results: readonly ({ ok: true } | { ok: false; code: string })[]; claim: { claimed: Claimed[] } | null };
type Fence = { lease_token: string; attempt: number };

/** The requests of a worker: the same operations with and without HTTP. */
type WorkerRequests = {
  claim(body: ClaimSpec): Promise<{ claimed: Claimed[] }>;
  complete(body: CompleteManySpec): Promise<Answer>;
};

/** One turn of a worker: completes its subtask and claims the next. */
export type Step = (done: readonly Claimed[], limit: number) => Promise<readonly Claimed[]>;
/** Subtasks per second, and the share that was only started at completion, because its claim could not start it. */
export type Driven = { rate: number; startedLate: number };

const fenceOf = ({ lease_token, attempt }: Claimed): Fence => ({ lease_token, attempt });

const completions = (done: readonly Claimed[]) => done.map((it) => ({ subtask_id: it.subtask_id, ...fenceOf(it), result: 1 }));

const next = async (requests: WorkerRequests, done: readonly Claimed[], limit: number): Promise<readonly Claimed[]> => {
  const claiming = { claim_request_id: randomUUID(), limit, start: true };
  if (done.length === 0) return (await requests.claim(claiming)).claimed;
  const { results, claim: answer } = await requests.complete({ completions: completions(done), claim: claiming });
  for (const result of results) if (!result.ok) throw new Error(`a completion was refused: ${result.code}`);
  return answer?.claimed ?? [];
};

const stepOf =
  (requests: WorkerRequests): Step =>
  (done, limit) =>
    next(requests, done, limit);

/** The lower bound: the same statements without HTTP. */
export const sqlStep = (ctx: Context, principal: WorkerPrincipal): Step =>
  stepOf({
    claim: (body) => claim(ctx, principal, body),
    complete: (body) => completeMany(ctx, principal, body),
  });

const post = <T>(url: string, token: string, body: unknown) => send<T>({ method: 'POST', url, token, body });

export const httpStep = (url: string, workerId: string, credential: string): Step =>
  stepOf({
    claim: (body) => post(`${url}/api/v1/workers/${workerId}/claim`, credential, body),
    complete: (body) => post(`${url}/api/v1/workers/${workerId}/complete`, credential, body),
  });

const LONGEST_MS = 120_000;

/** Runs `total` subtasks with one loop for each step. */
export const drive = async (steps: readonly Step[], limit: number, total: number): Promise<Driven> => {
  let left = total;
  let startedLate = 0;
  const started = performance.now();
  const loop = async (step: Step) => {
    let done: readonly Claimed[] = [];
    while (left > 0) {
      if (performance.now() - started > LONGEST_MS) throw new Error(`${left} of ${total} subtasks were not finished in ${LONGEST_MS} ms`);
      const count = done.length;
      const next = await step(done, limit);
      left -= count;
      startedLate += next.filter(({ started }) => !started).length;
      done = next;
    }
  };
  await Promise.all(steps.map(loop));
  return { rate: total / ((performance.now() - started) / 1_000), startedLate: startedLate / total };
};
