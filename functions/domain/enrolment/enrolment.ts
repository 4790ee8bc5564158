import { AppError } from '../../../schema/errors.ts';
import type { EnrolmentSpec, WorkerSpec } from '../../../schema/worker.ts';
import type { Context } from '../context.ts';
import type { Caller } from '../principal.ts';
import { newSecret, secretHash } from '../secrets.ts';
import { commit, type Unit } from '../unit-of-work.ts';
import { intervals } from '../workers/intervals.ts';
import { writeWorkerMessage } from '../workers/workers.sql.ts';
import * as rows from './enrolment.sql.ts';

type Enrolment = Pick<Context, 'sql' | 'env' | 'tokens' | 'queues' | 'hints' | 'log'>;

/** Creates a token with which one worker can enrol until it expires. */
export const createToken = async ({ tx }: Unit, caller: Caller, spec: EnrolmentSpec) => {
  const enrolmentToken = newSecret('mae');
  const row = await rows.insertEnrolmentToken(tx, caller.organization_id, spec, secretHash(enrolmentToken));
  return { ...row, enrolment_token: enrolmentToken };
};

const checkAllowed = (token: rows.LockedToken, spec: WorkerSpec) => {
  const beyond = spec.tools.filter((tool) => !token.tools.includes(tool));
  if (beyond.length === 0) return;
  const message = `must contain only tools that the enrolment token allows (${token.tools.join(', ')}), not ${beyond.join(', ')}`;
  throw new AppError('enrolment_mismatch', message, { errors: [{ path: 'body.tools', message }] });
};

/** Registers a worker, which uses up the enrolment token. A repeated registration, whose answer was lost, returns the same worker. */
export const register = async (ctx: Enrolment, enrolmentToken: string, spec: WorkerSpec) => {
  const { worker, organizationId } = await commit(ctx, async ({ tx }) => {
    const token = await rows.lockEnrolmentToken(tx, secretHash(enrolmentToken));
    if (token === null) throw new AppError('enrolment_refused', 'The enrolment token is unknown; create a new one');
    const organizationId = token.organization_id;
    if (token.used) {
      const known = spec.registration_id && (await rows.findRegistration(tx, token.enrolment_token_id, spec.registration_id));
      if (!known) throw new AppError('enrolment_refused', 'The enrolment token has already been used; create a new one for each worker');
      return { worker: known, organizationId };
    }
    if (token.expired) throw new AppError('enrolment_refused', 'The enrolment token has expired; create a new one');
    checkAllowed(token, spec);
    const worker = await rows.insertWorker(tx, token, spec);
    await writeWorkerMessage(tx, organizationId, worker.worker_id);
    return { worker, organizationId };
  });
  const credential = await ctx.tokens.sign({ worker_id: worker.worker_id, organization_id: organizationId });
  return { worker, credential, intervals: intervals(ctx) };
};
