import * as z from 'zod';
import { Id, Timestamp } from '../common.ts';
import { LIVE_LIMITS } from '../live.ts';
import { route } from '../route.ts';

const Ticket = z
  .object({
    url: z.string().describe(`Open a WebSocket here, once and within ${LIVE_LIMITS.ticket_seconds} s`),
    expires_at: Timestamp,
  })
  .meta({ id: 'Ticket' });
const ticket = { method: 'POST', output: Ticket, status: 201, tag: 'live' } as const;

export const createTicket = route({
  ...ticket,
  fleeting: true,
  name: 'createTicket',
  path: '/api/v1/ws/tickets',
  access: 'tasks:read',
  summary: 'Get the address of a WebSocket on which tasks and workers can be followed',
  errors: ['unavailable'],
});

export const createWorkerTicket = route({
  ...ticket,
  name: 'createWorkerTicket',
  path: '/api/v1/workers/{worker_id}/tickets',
  access: 'worker',
  params: z.strictObject({ worker_id: Id }),
  summary: 'Get the address of a WebSocket on which a worker is told of work and of orders',
  errors: ['unavailable', 'worker_revoked'],
});
