import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { createClient, isTransient } from '../../../schema/client/client.ts';
import { LIMITS } from '../../../schema/json.ts';
import { PRODUCT } from '../../../schema/product.ts';
import type { Intervals } from '../../../schema/worker.ts';
import { retrying } from '../api/retry.ts';
import { hashOf, type State, type StateFile } from './state-file.ts';

export type Identity = { workerId: string; credential: string; intervals: Intervals };
type Offer = {
  url: string;
  name: string;
  tools: readonly string[];
  slots: number;
  timeoutMs: number;
  enrolToken: string | undefined;
};

/** The worker is not enrolled on this machine, and no enrolment token was given. */
export class NotEnrolled extends Error {}
/** The worker was enrolled with tools that it does not offer now. */
export class EnrolledOtherwise extends Error {}

const ENROL_FOR_MS = 60_000;

const identityOf = (state: State): Identity | null => {
  const { worker_id, credential, intervals } = state;
  return worker_id && credential && intervals ? { workerId: worker_id, credential, intervals } : null;
};

const checkOffer = (state: State, offer: Offer): void => {
  const missing = (state.tools ?? []).filter((tool) => !offer.tools.includes(tool));
  if (missing.length > 0)
    throw new EnrolledOtherwise(
      `the worker ${offer.name} was enrolled with the tools ${state.tools?.join(', ')}; it would be given work for ${missing.join(', ')}`,
    );
};

/**
 * Returns the worker's identity: the stored one, or a new one obtained with the enrolment token. It stores the registration id before
 * it registers, so that a registration whose answer was lost is repeated with the same id, also after a crash.
 */
export const enrol = async (file: StateFile, offer: Offer): Promise<Identity> => {
  const kept = await file.read();
  const tokenHash = offer.enrolToken === undefined ? null : hashOf(offer.enrolToken);
  const known = kept !== null && (tokenHash === null || kept.token_hash === tokenHash) ? kept : null;
  const identity = known && identityOf(known);
  if (known && identity) {
    checkOffer(known, offer);
    return identity;
  }
  if (offer.enrolToken === undefined || tokenHash === null)
    throw new NotEnrolled(`the worker ${offer.name} is not enrolled at ${offer.url}`);
  const state: State = {
    url: offer.url,
    name: offer.name,
    registration_id: known?.registration_id ?? randomUUID(),
    token_hash: tokenHash,
  };
  await file.write(state);
  return register(file, state, offer);
};

const register = async (file: StateFile, state: State, offer: Offer): Promise<Identity> => {
  const { url, name, tools, slots, timeoutMs, enrolToken } = offer;
  const client = createClient({ url, token: enrolToken, timeoutMs });
  const body = {
    name,
    machine_name: hostname().slice(0, LIMITS.name_characters) || 'unknown',
    tools: [...tools],
    slots,
    agent_version: PRODUCT.version,
    registration_id: state.registration_id,
  };
  const { worker, credential, intervals } = await retrying(() => client.registerWorker({ body }), {
    // A person is waiting, and the address may be wrong.
    again: (_, elapsedMs, error) => isTransient(error) && elapsedMs < ENROL_FOR_MS,
  });
  await file.write({ ...state, worker_id: worker.worker_id, credential, intervals, tools: worker.tools, slots: worker.slots });
  return { workerId: worker.worker_id, credential, intervals };
};
