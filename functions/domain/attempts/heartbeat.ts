import type { HeartbeatAnswer, HeartbeatSpec } from '../../../schema/worker.ts';
import type { Context } from '../context.ts';
import type { WorkerPrincipal } from '../principal.ts';
import { refusal } from '../refusal.ts';
import { intervals } from '../workers/intervals.ts';
import { commit } from '../unit-of-work.ts';
import { writeWorkerMessage } from '../workers/workers.sql.ts';
import * as rows from './attempts.sql.ts';

type Beating = Pick<Context, 'sql' | 'env' | 'tokens' | 'queues' | 'hints' | 'log'>;

/** Redis alone answers a worker that it knows, that holds nothing and has not changed. A changed worker is announced. */
const beat = async (ctx: Beating, worker: WorkerPrincipal, spec: HeartbeatSpec): Promise<rows.BeatAnswer> => {
  const known = await ctx.hints.beat(worker, {
    running: spec.leases.length,
    slots: spec.slots ?? null,
    info: spec.info ?? {},
  });
  const { agent_version } = spec.info ?? {};
  const isUpdated = agent_version !== undefined && agent_version !== known?.agentVersion;
  if (known?.mode && !known.isChanged && spec.leases.length === 0 && !isUpdated) return { mode: known.mode, leases: [] };
  const answer = await rows.heartbeat(ctx.sql, worker, spec, ctx.env.LEASE_MS);
  if ('error' in answer) throw refusal(answer.error);
  if (known?.mode === null || known?.isChanged)
    await commit(ctx, ({ tx }) => writeWorkerMessage(tx, worker.organization_id, worker.worker_id));
  return answer;
};

export const heartbeat = async (ctx: Beating, worker: WorkerPrincipal, spec: HeartbeatSpec): Promise<HeartbeatAnswer> => {
  const answer = await beat(ctx, worker, spec);
  return { ...answer, intervals: intervals(ctx), credential: worker.nears_end ? await ctx.tokens.sign(worker) : null };
};
