import { PRODUCT } from '../../schema/product.ts';
import { ROUTES } from '../../schema/routes.ts';
import * as health from '../domain/health/health.ts';
import { docsPage } from './docs-page.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { openapi } from './openapi.ts';

const reply = <T extends { status: string }>(answer: T) => ({ answer, status: answer.status === 'unhealthy' ? 503 : 200 });

export const systemEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.getRoot, async () => ({ ...PRODUCT, api: '/api/v1', docs: '/docs', openapi: '/openapi.json', health: '/api/v1/health' })),
  endpoint(ROUTES.getOpenapi, async ({ ctx }) => openapi(ctx.env.PUBLIC_URL)),
  endpoint(ROUTES.getDocs, async () => docsPage()),
  endpoint(ROUTES.getHealth, async ({ ctx }) => reply({ ...PRODUCT, ...(await health.overall(ctx)).summary })),
  endpoint(ROUTES.getDatabaseHealth, async ({ ctx }) => reply(await health.database(ctx))),
  endpoint(ROUTES.getRedisHealth, async ({ ctx }) => health.redis(ctx)),
  endpoint(ROUTES.getDetailedHealth, async ({ ctx }) =>
    reply({ ...PRODUCT, ...(await health.detailed(ctx)), uptime_seconds: Math.round(process.uptime()), node: process.version }),
  ),
];
