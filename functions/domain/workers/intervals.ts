import type { Intervals } from '../../../schema/worker.ts';
import type { Context } from '../context.ts';

/** How often a worker of this deployment sends heartbeats and claims, and how long a lease lasts. */
export const intervals = ({ env }: Pick<Context, 'env'>): Intervals => ({
  idle_heartbeat_ms: env.IDLE_HEARTBEAT_MS,
  busy_heartbeat_ms: env.BUSY_HEARTBEAT_MS,
  claim_poll_ms: env.CLAIM_POLL_MS,
  lease_ms: env.LEASE_MS,
});
