import { withTimeout } from '../../../schema/client/with-timeout.ts';
import type { Context } from '../context.ts';
import { ask, latestMigration } from './health.sql.ts';

export type ServiceHealth = { status: 'healthy' | 'unhealthy' | 'not_configured'; latency_ms: number | null };

/** Always settles within HEALTH_MS, even when the service hangs. */
const timed = async ({ env }: Pick<Context, 'env'>, check: PromiseLike<unknown>): Promise<ServiceHealth> => {
  const started = performance.now();
  const healthy = await withTimeout(env.HEALTH_MS, async () => check).then(
    () => true,
    () => false,
  );
  return healthy
    ? { status: 'healthy', latency_ms: Math.round((performance.now() - started) * 10) / 10 }
    : { status: 'unhealthy', latency_ms: null };
};

export const database = (ctx: Pick<Context, 'sql' | 'env'>): Promise<ServiceHealth> => timed(ctx, ask(ctx.sql));

/** Without Redis the platform works, but slower: it stays healthy when Redis does not answer. */
export const redis = async (ctx: Pick<Context, 'hints' | 'env'>): Promise<ServiceHealth> =>
  ctx.hints.isConfigured ? timed(ctx, answering(ctx.hints.ping())) : { status: 'not_configured', latency_ms: null };

const answering = async (asked: Promise<boolean>) => {
  if (!(await asked)) throw new Error('no answer');
};

const STATES = { healthy: 'connected', unhealthy: 'disconnected', not_configured: 'not_configured' } as const;
const connection = (health: ServiceHealth) => STATES[health.status];

export const overall = async (ctx: Pick<Context, 'sql' | 'hints' | 'env'>) => {
  const [health, redisHealth] = await Promise.all([database(ctx), redis(ctx)]);
  return {
    database: health,
    redis: redisHealth,
    summary: {
      status: health.status === 'healthy' ? ('healthy' as const) : ('unhealthy' as const),
      services: { database: connection(health), redis: connection(redisHealth) },
    },
  };
};

export const detailed = async (ctx: Pick<Context, 'sql' | 'hints' | 'env'>) => {
  const { database: health, redis: redisHealth, summary } = await overall(ctx);
  const migration = health.status === 'healthy' ? await latestMigration(ctx.sql).catch(() => null) : null;
  return {
    ...summary,
    database: { ...health, migration, connections_max: ctx.env.DATABASE_POOL_SIZE },
    redis: { ...redisHealth, cache: await ctx.hints.rates() },
  };
};
