import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { Context } from '../functions/domain/context.ts';
import type { WorkerPrincipal } from '../functions/domain/principal.ts';
import { claim, complete } from '../functions/domain/workers/workers.ts';
import type { Claimed } from '../schema/attempt.ts';

/** One request of a worker: completes what it did and claims the next. */
export type Step = (done: readonly Claimed[], limit: number) => Promise<readonly Claimed[]>;

const completions = (done: readonly Claimed[]) =>
  done.map(({ subtask_id, lease_token, attempt }) => ({ subtask_id, lease_token, attempt, result: 1 }));

/** The floor: the same statement without HTTP. */
export const sqlStep =
  (ctx: Context, principal: WorkerPrincipal): Step =>
  async (done, limit) => {
    const next = { claim_request_id: randomUUID(), limit, start: true };
    if (done.length === 0) return (await claim(ctx, principal, next)).claimed;
    return (await complete(ctx, principal, { completions: completions(done), claim: next })).claim?.claimed ?? [];
  };

const agent = new Agent({ keepAlive: true });

const post = (url: string, token: string, body: unknown): Promise<{ claimed?: Claimed[]; claim?: { claimed: Claimed[] } }> =>
  new Promise((resolve, reject) => {
    const payload = JSON.stringify(body);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    const sent = request(url, { method: 'POST', agent, headers, timeout: 30_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${url} answered ${response.statusCode}: ${text}`));
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`${url} did not answer in time`)));
    sent.on('error', reject);
    sent.end(payload);
  });

export const httpStep =
  (url: string, workerId: string, credential: string): Step =>
  async (done, limit) => {
    const next = { claim_request_id: randomUUID(), limit, start: true };
    const worker = `${url}/api/v1/workers/${workerId}`;
    if (done.length === 0) return (await post(`${worker}/claim`, credential, next)).claimed ?? [];
    return (await post(`${worker}/complete`, credential, { completions: completions(done), claim: next })).claim?.claimed ?? [];
  };

/** Carries out `total` subtasks with one loop a step; answers how many a second. */
export const drive = async (steps: readonly Step[], limit: number, total: number): Promise<number> => {
  let left = total;
  const started = performance.now();
  const loop = async (step: Step) => {
    let done: readonly Claimed[] = [];
    while (left > 0) {
      const count = done.length;
      const claimed = await step(done, limit);
      left -= count;
      done = claimed;
    }
  };
  await Promise.all(steps.map(loop));
  return total / ((performance.now() - started) / 1_000);
};
