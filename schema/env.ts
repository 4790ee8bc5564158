import { z } from 'zod';
import { Tool } from './common.ts';

const whole = (min: number, max: number, fallback: number) => z.coerce.number().int().min(min).max(max).default(fallback);
const flag = (fallback: 'true' | 'false') =>
  z
    .enum(['true', 'false'])
    .default(fallback)
    .transform((text) => text === 'true');

/** The environment of the backend. Times are in milliseconds unless the name says otherwise. */
export const Env = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a URL such as postgres://user:password@host:5432/name' }),
  DATABASE_POOL_SIZE: whole(1, 200, 1).describe('Connections at most; 1 behind a transaction pooler'),
  DATABASE_PREPARE: flag('false').describe('Prepared statements; false behind a transaction pooler'),
  SECRET_KEY: z.string().min(32, 'must have at least 32 characters; make one with: openssl rand -hex 32'),
  PUBLIC_URL: z.url().default('http://127.0.0.1:8080').describe('Where clients and workers reach this deployment'),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    )
    .describe('Origins of web pages that may call, separated by commas'),
  DEFAULT_TOOL: Tool.default('scripted').describe('The tool of subtasks that name none'),
  LEASE_MS: whole(1_000, 3_600_000, 60_000),
  BUSY_HEARTBEAT_MS: whole(100, 600_000, 15_000).describe('Between heartbeats of a worker that holds leases'),
  IDLE_HEARTBEAT_MS: whole(100, 600_000, 60_000),
  CLAIM_POLL_MS: whole(10, 600_000, 2_000).describe('Between claims of a worker that found nothing'),
  LOG_RETENTION_DAYS: whole(1, 3_650, 30).describe('How long the output of tools is kept'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  LOG_FORMAT: z.enum(['json', 'text']).default('json'),
});
export type Env = z.output<typeof Env>;

/** Reads the environment; throws one error that names every variable at fault. */
export const parseEnv = (variables: Record<string, string | undefined>): Env => {
  const parsed = Env.safeParse(variables);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`The environment is not complete:\n${faults.join('\n')}`);
};
