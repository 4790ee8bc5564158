import { hkdfSync } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import type { WorkerIdentity } from '../domain/principal.ts';
import type { WorkerTokens } from '../domain/ports/worker-tokens.ts';
import { createRecent } from './recent.ts';

const ISSUER = 'multi-agent-on-the-web';
const AUDIENCE = 'worker-api';
const TYPE = 'worker+jwt';
const LIFE_SECONDS = 90 * 24 * 3_600;
const RENEW_SECONDS = LIFE_SECONDS / 3;
const REMEMBERED = { most: 10_000, ms: 60_000 };

/** A key for one purpose, derived from the deployment's secret. */
export const deriveKey = (secret: string, purpose: string): Uint8Array => new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32));

type Verified = WorkerIdentity & { exp: number };

const verifyWith = async (key: Uint8Array, token: string): Promise<Verified | null> => {
  const verified = await jwtVerify<{ organization_id: string }>(token, key, {
    algorithms: ['HS256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    typ: TYPE,
    requiredClaims: ['sub', 'exp', 'organization_id'],
  }).catch(() => null);
  if (verified === null) return null;
  const { sub = '', exp = 0, organization_id } = verified.payload;
  return { worker_id: sub, organization_id, exp };
};

/**
 * The credentials of workers are signed, so that they are verified without the database (statements that write check for revocation).
 * They are valid for 90 days, and heartbeats renew them in the last 30. Algorithm, issuer, audience and type are fixed.
 *
 * A verified credential is cached for 60 s, since verification costs more than the rest of a small request. A refused one is not cached,
 * so only valid credentials use memory. The expiry is compared with the clock each time.
 */
export const createWorkerTokens = (secret: string): WorkerTokens => {
  const key = deriveKey(secret, 'worker-credentials');
  const recent = createRecent<Verified>(REMEMBERED);
  const verify = async (token: string): Promise<Verified | null> => {
    const known = recent.get(token);
    if (known !== undefined) return known;
    const verified = await verifyWith(key, token);
    if (verified !== null) recent.set(token, verified);
    return verified;
  };
  return {
    sign: ({ worker_id, organization_id }) =>
      new SignJWT({ organization_id })
        .setProtectedHeader({ alg: 'HS256', typ: TYPE })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(worker_id)
        .setIssuedAt()
        .setExpirationTime(`${LIFE_SECONDS}s`)
        .sign(key),
    verify: async (token) => {
      const verified = await verify(token);
      if (verified === null) return null;
      const { exp, ...identity } = verified;
      const leftSeconds = exp - Math.floor(Date.now() / 1_000); // a credential ends with a whole second
      return leftSeconds > 0 ? { ...identity, nears_end: leftSeconds < RENEW_SECONDS } : null;
    },
  };
};
