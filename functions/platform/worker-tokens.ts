import { hkdfSync } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import type { WorkerTokens } from '../domain/context.ts';

const ISSUER = 'multi-agent-on-the-web';
const AUDIENCE = 'worker-api';
const TYPE = 'worker+jwt';
const LIFE_SECONDS = 90 * 24 * 3_600;
const RENEW_SECONDS = LIFE_SECONDS / 3;

/** A key for one purpose, derived from the deployment's secret. */
export const deriveKey = (secret: string, purpose: string): Uint8Array => new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32));

/**
 * Workers' credentials: signed, so that they are checked without the database (revocation is checked by the statements that
 * change something). 90 days; renewed by heartbeat in the last 30. Algorithm, issuer, audience and type are pinned.
 */
export const createWorkerTokens = (secret: string): WorkerTokens => {
  const key = deriveKey(secret, 'worker-credentials');
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
      const verified = await jwtVerify<{ organization_id: string }>(token, key, {
        algorithms: ['HS256'],
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: TYPE,
        requiredClaims: ['sub', 'exp', 'organization_id'],
      }).catch(() => null);
      if (verified === null) return null;
      const { sub, exp, organization_id } = verified.payload;
      return { worker_id: sub ?? '', organization_id, nears_end: (exp ?? 0) - Date.now() / 1000 < RENEW_SECONDS };
    },
  };
};
