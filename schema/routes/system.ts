import * as z from 'zod';
import { route } from '../route.ts';

const state = z.enum(['connected', 'disconnected', 'not_configured']);
const Health = z.object({
  status: z.enum(['healthy', 'unhealthy']),
  app: z.string(),
  version: z.string(),
  services: z.object({ database: state, redis: state }),
});
const ServiceHealth = z.object({ status: z.enum(['healthy', 'unhealthy', 'not_configured']), latency_ms: z.number().nullable() });

const open = { access: 'anyone', tag: 'system', status: 200, method: 'GET' } as const;

const CacheRate = z.object({ hits: z.int(), misses: z.int() });

export const getRoot = route({
  ...open,
  name: 'getRoot',
  path: '/',
  summary: 'What this is and where to go',
  output: z.object({ app: z.string(), version: z.string(), api: z.string(), docs: z.string(), openapi: z.string(), health: z.string() }),
  errors: [],
});

export const getOpenapi = route({
  ...open,
  name: 'getOpenapi',
  path: '/openapi.json',
  summary: 'This description, as OpenAPI 3.1',
  output: z.record(z.string(), z.unknown()),
  errors: [],
});

export const getDocs = route({
  ...open,
  name: 'getDocs',
  path: '/docs',
  summary: 'The operations, for reading',
  output: z.string(),
  contentType: 'text/html',
  errors: [],
});

export const getHealth = route({
  ...open,
  name: 'getHealth',
  path: '/api/v1/health',
  summary: 'Whether the platform and the services behind it work; 503 when not',
  output: Health,
  errors: ['unavailable'],
});

export const getDatabaseHealth = route({
  ...open,
  name: 'getDatabaseHealth',
  path: '/api/v1/health/database',
  summary: 'Whether Postgres answers; 503 when not',
  output: ServiceHealth,
  errors: ['unavailable'],
});

export const getRedisHealth = route({
  ...open,
  name: 'getRedisHealth',
  path: '/api/v1/health/redis',
  summary: 'Whether Redis answers',
  output: ServiceHealth,
  errors: [],
});

export const getDetailedHealth = route({
  ...open,
  name: 'getDetailedHealth',
  path: '/api/v1/health/detailed',
  summary: 'Health with the state of the schema and of the connections; 503 when something fails',
  output: Health.extend({
    database: ServiceHealth.extend({ migration: z.string().nullable(), connections_max: z.int() }),
    redis: ServiceHealth.extend({
      cache: z.object({ task: CacheRate, worker: CacheRate }).nullable().describe('How often reads needed no look at the database'),
    }),
    uptime_seconds: z.number(),
    node: z.string(),
  }),
  errors: ['unavailable'],
});
