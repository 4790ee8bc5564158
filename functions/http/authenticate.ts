import { AppError } from '../../schema/errors.ts';
import { type Access, isCaller, type Route } from '../../schema/route.ts';
import type { Context } from '../domain/context.ts';
import type { Anyone, Caller, Enrolling, Principal, WorkerPrincipal } from '../domain/principal.ts';
import { secretHash } from '../domain/secrets.ts';

export type PrincipalOf<A extends Access> = A extends 'anyone'
  ? Anyone
  : A extends 'enrolment'
    ? Enrolling
    : A extends 'worker'
      ? WorkerPrincipal
      : Caller;

const NEEDS = {
  caller: 'an API key (mak_…)',
  worker: 'a worker credential',
  enrolment: 'an enrolment token (mae_…)',
} as const;

const kindOf = (token: string) => (token.startsWith('mak_') ? 'caller' : token.startsWith('mae_') ? 'enrolment' : 'worker');

const bearer = (authorization: string | undefined): string => {
  const [, token] = /^Bearer +([\w.~+/=-]{1,2000})$/i.exec(authorization ?? '') ?? [];
  if (token === undefined) throw new AppError('unauthenticated', 'Send a credential in the header Authorization: Bearer …');
  return token;
};

const caller = async (ctx: Pick<Context, 'callers'>, token: string): Promise<Caller> => {
  const found = await ctx.callers.find(secretHash(token).toString('hex'));
  if (found === null) throw new AppError('unauthenticated', 'The API key is unknown or has been revoked');
  return found;
};

const worker = async (ctx: Pick<Context, 'tokens'>, token: string): Promise<WorkerPrincipal> => {
  const identity = await ctx.tokens.verify(token);
  if (identity === null) throw new AppError('unauthenticated', 'The worker credential is invalid or has expired; enrol the worker again');
  return { kind: 'worker', ...identity };
};

/**
 * The principal of a request, if the contract allows it. Only health and documentation need no credential. Further kinds of credentials,
 * such as user sessions, would be added here.
 */
export const authenticate = async (ctx: Context, route: Route, headers: Record<string, string | undefined>): Promise<Principal> => {
  if (route.access === 'anyone') return { kind: 'anyone' };
  const token = bearer(headers.authorization);
  const wanted = isCaller(route.access) ? 'caller' : route.access;
  const given = kindOf(token);
  if (given !== wanted) {
    if (given === 'worker') await worker(ctx, token);
    throw new AppError('forbidden', `This operation requires ${NEEDS[wanted]}, not ${NEEDS[given]}`);
  }
  if (given === 'enrolment') return { kind: 'enrolment', token };
  if (given === 'worker') return worker(ctx, token);
  const found = await caller(ctx, token);
  if (isCaller(route.access) && !found.scopes.includes(route.access))
    throw new AppError(
      'forbidden',
      `This operation requires an API key with the scope ${route.access}; this key has ${found.scopes.join(', ')}`,
    );
  return found;
};
