import type { APIGatewayProxyWebsocketEventV2 } from 'aws-lambda';
import { AppError } from '../../schema/errors.ts';
import { ClientFrame, type ServerFrame } from '../../schema/live.ts';
import type { Context } from '../domain/context.ts';
import { post } from '../domain/live/push.ts';
import { receive } from '../domain/live/sockets.ts';
import { redeem } from '../domain/live/tickets.ts';

type SocketEvent = APIGatewayProxyWebsocketEventV2 & {
  headers?: Record<string, string | undefined>;
  queryStringParameters?: Record<string, string | undefined> | null;
};
export type SocketAnswer = { statusCode: number };
export type SocketHandler = (event: SocketEvent) => Promise<SocketAnswer>;

const header = (event: SocketEvent, name: string) => Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];

/** A page of another origin must not open a socket with a ticket that it obtained; programs send no origin. */
const isForeign = ({ env }: Context, event: SocketEvent) => {
  const origin = header(event, 'origin');
  return origin !== undefined && origin !== new URL(env.PUBLIC_URL).origin && !env.CORS_ORIGINS.includes(origin);
};

const connect = async (ctx: Context, event: SocketEvent): Promise<SocketAnswer> => {
  if (isForeign(ctx, event)) return { statusCode: 403 };
  const ticket = event.queryStringParameters?.ticket;
  const owner = ticket ? await redeem(ctx, ticket) : null;
  if (owner === null) return { statusCode: 401 };
  return { statusCode: (await ctx.sockets.add(event.requestContext.connectionId, owner)) ? 200 : 503 };
};

const parse = ({ body, isBase64Encoded }: SocketEvent): ClientFrame | ServerFrame => {
  const refuse = (detail: string): ServerFrame => ({ type: 'error', code: 'invalid_request', detail });
  try {
    const parsed = ClientFrame.safeParse(JSON.parse(isBase64Encoded ? Buffer.from(body ?? '', 'base64').toString() : (body ?? '')));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    return refuse(`${issue?.path.join('.') || 'the message'}: ${issue?.message}`);
  } catch {
    return refuse('A message must be JSON, such as {"action":"subscribe","topic":"tasks"}');
  }
};

const replyTo = async (ctx: Context, event: SocketEvent): Promise<ServerFrame | null> => {
  const { connectionId, requestId } = event.requestContext;
  const frame = parse(event);
  if ('type' in frame) return frame;
  const owner = await ctx.sockets.ownerOf(connectionId);
  if (owner === null) return null;
  try {
    return await receive(ctx, owner, connectionId, frame);
  } catch (error) {
    if (error instanceof AppError) return { type: 'error', code: error.code, detail: error.message };
    if (ctx.isUnavailable(error))
      return { type: 'error', code: 'unavailable', detail: 'The database is not responding; send the message again shortly' };
    ctx.log('error', 'socket.failed', { request_id: requestId, error });
    return {
      type: 'error',
      code: 'internal',
      detail: `An internal error occurred; contact the operator and give the request id ${requestId}`,
    };
  }
};

/** A socket whose registration is lost is closed: its client reconnects with a new ticket. */
const message = async (ctx: Context, event: SocketEvent): Promise<SocketAnswer> => {
  const { connectionId } = event.requestContext;
  const answer = await replyTo(ctx, event);
  if (answer === null) await ctx.push?.close(connectionId);
  else await post(ctx, connectionId, answer);
  return { statusCode: 200 };
};

/** The Lambda of the WebSocket API. */
export const socket =
  (ctx: Context): SocketHandler =>
  async (event) => {
    const { eventType, connectionId } = event.requestContext;
    if (eventType === 'CONNECT') return connect(ctx, event);
    if (eventType === 'MESSAGE') return message(ctx, event);
    await ctx.sockets.remove(connectionId);
    return { statusCode: 200 };
  };
