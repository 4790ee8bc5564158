import * as z from 'zod';
import { Id, Timestamp } from '../common.ts';
import { LIVE_LIMITS } from '../live.ts';
import { route } from '../route.ts';

const Ticket = z
  .object({
    url: z.string().describe(`The WebSocket URL; it can be opened once, within ${LIVE_LIMITS.ticket_seconds} seconds`),
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
  summary: 'Create a ticket: a WebSocket URL for following tasks and workers',
  errors: ['unavailable'],
});

export const createWorkerTicket = route({
  ...ticket,
  name: 'createWorkerTicket',
  path: '/api/v1/workers/{worker_id}/tickets',
  access: 'worker',
  params: z.strictObject({ worker_id: Id }),
  summary: 'Create a ticket for a worker: a WebSocket URL that announces ready subtasks and directives',
  errors: ['unavailable', 'worker_revoked'],
});
