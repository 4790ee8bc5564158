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
  summary: 'Get the name and version of the API and its main paths',
  output: z.object({ app: z.string(), version: z.string(), api: z.string(), docs: z.string(), openapi: z.string(), health: z.string() }),
  errors: [],
});

export const getOpenapi = route({
  ...open,
  name: 'getOpenapi',
  path: '/openapi.json',
  summary: 'Get the OpenAPI 3.1 description of the API',
  output: z.record(z.string(), z.unknown()),
  errors: [],
});

export const getDocs = route({
  ...open,
  name: 'getDocs',
  path: '/docs',
  summary: 'Get the API reference as an HTML page',
  output: z.string(),
  contentType: 'text/html',
  errors: [],
});

export const getHealth = route({
  ...open,
  name: 'getHealth',
  path: '/api/v1/health',
  summary: 'Check the platform and its services; returns 503 if one is unhealthy',
  output: Health,
  errors: ['unavailable'],
});

export const getDatabaseHealth = route({
  ...open,
  name: 'getDatabaseHealth',
  path: '/api/v1/health/database',
  summary: 'Check Postgres; returns 503 if it is unhealthy',
  output: ServiceHealth,
  errors: ['unavailable'],
});

export const getRedisHealth = route({
  ...open,
  name: 'getRedisHealth',
  path: '/api/v1/health/redis',
  summary: 'Check Redis',
  output: ServiceHealth,
  errors: [],
});

export const getDetailedHealth = route({
  ...open,
  name: 'getDetailedHealth',
  path: '/api/v1/health/detailed',
  summary: 'Check the platform in detail: migration, connections and caches; returns 503 if it is unhealthy',
  output: Health.extend({
    database: ServiceHealth.extend({ migration: z.string().nullable(), connections_max: z.int() }),
    redis: ServiceHealth.extend({
      cache: z
        .object({ task: CacheRate, worker: CacheRate })
        .nullable()
        .describe('Cache hits and misses; a hit is a read that did not need the database'),
    }),
    uptime_seconds: z.number(),
    node: z.string(),
  }),
  errors: ['unavailable'],
});
