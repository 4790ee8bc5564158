import { AppError } from '../../../schema/errors.ts';
import type { EnrolmentSpec, WorkerSpec } from '../../../schema/worker.ts';
import type { Context } from '../context.ts';
import { commit } from '../outbox/outbox.ts';
import type { Caller } from '../principal.ts';
import { newSecret, secretHash } from '../secrets.ts';
import { intervals } from '../workers/intervals.ts';
import { leaveWorker } from '../workers/workers.sql.ts';
import * as rows from './enrolment.sql.ts';

type Enrolment = Pick<Context, 'sql' | 'env' | 'tokens' | 'queues' | 'hints' | 'log'>;

/** Makes a token with which one worker can enrol until it expires. */
export const createToken = async (ctx: Pick<Context, 'sql'>, caller: Caller, spec: EnrolmentSpec) => {
  const enrolmentToken = newSecret('mae');
  const row = await rows.insertEnrolmentToken(ctx.sql, caller.organization_id, spec, secretHash(enrolmentToken));
  return { ...row, enrolment_token: enrolmentToken };
};

const checkAllowed = (token: rows.LockedToken, spec: WorkerSpec) => {
  const beyond = spec.tools.filter((tool) => !token.tools.includes(tool));
  if (beyond.length === 0) return;
  const message = `the token allows ${token.tools.join(', ')}; it does not allow ${beyond.join(', ')}`;
  throw new AppError('enrolment_mismatch', message, { errors: [{ path: 'body.tools', message }] });
};

/** Uses an enrolment token up. The same registration again, its answer lost, gets the same worker. */
export const register = async (ctx: Enrolment, enrolmentToken: string, spec: WorkerSpec) => {
  const { worker, organizationId } = await commit(ctx, async (sql) => {
    const token = await rows.lockEnrolmentToken(sql, secretHash(enrolmentToken));
    if (token === null) throw new AppError('enrolment_refused', 'The enrolment token is unknown; make a new one');
    const organizationId = token.organization_id;
    if (token.used) {
      const known = spec.registration_id && (await rows.findRegistration(sql, token.enrolment_token_id, spec.registration_id));
      if (!known) throw new AppError('enrolment_refused', 'The enrolment token was used already; each worker needs its own');
      return { worker: known, organizationId };
    }
    if (token.expired) throw new AppError('enrolment_refused', 'The enrolment token has expired; make a new one');
    checkAllowed(token, spec);
    const worker = await rows.insertWorker(sql, token, spec);
    await leaveWorker(sql, organizationId, worker.worker_id);
    return { worker, organizationId };
  });
  const credential = await ctx.tokens.sign({ worker_id: worker.worker_id, organization_id: organizationId });
  return { worker, credential, intervals: intervals(ctx) };
};
