import { randomBytes } from 'node:crypto';
import { AppError } from '../../../schema/errors.ts';
import { LIVE_LIMITS } from '../../../schema/live.ts';
import type { Context } from '../context.ts';
import type { SocketOwner } from '../ports/sockets.ts';
import { secretHash } from '../secrets.ts';

const SECONDS = LIVE_LIMITS.ticket_seconds;

const hashOf = (ticket: string) => secretHash(ticket).toString('base64url');

/** Creates a ticket that opens one socket and expires soon, because it is part of a URL, which may be logged. */
export const issue = async ({ sockets, push, env }: Pick<Context, 'sockets' | 'push' | 'env'>, owner: SocketOwner) => {
  const ticket = randomBytes(32).toString('base64url');
  if (push === null || !(await sockets.keepTicket(hashOf(ticket), owner, SECONDS)))
    throw new AppError('unavailable', 'WebSockets are currently unavailable; poll the events by HTTP with after_seq');
  const url = new URL(env.SOCKET_URL);
  url.searchParams.set('ticket', ticket);
  return { url: url.href, expires_at: new Date(Date.now() + SECONDS * 1_000).toISOString() };
};

/** The owner of the socket that this ticket opens; null when it is unknown, used or expired. */
export const redeem = (ctx: Pick<Context, 'sockets'>, ticket: string): Promise<SocketOwner | null> =>
  ctx.sockets.takeTicket(hashOf(ticket));
