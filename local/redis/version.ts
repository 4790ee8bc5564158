import type { LinkedRequester } from './requester.ts';

/** The first version with ZMSCORE, ZRANGE BYSCORE and ZADD GT. */
const OLDEST = [6, 2] as const;

/** Returns null if the server does not report its version. */
export const versionOf = async (requester: LinkedRequester): Promise<string | null> => {
  const { result } = await requester.request<string>({ body: ['info', 'server'] });
  return /^redis_version:(\S+)/m.exec(result ?? '')?.[1] ?? null;
};

/** Why a version is unsupported; null if it is supported. */
export const faultOf = (version: string | null): string | null => {
  const [major = 0, minor = 0] = (version ?? OLDEST.join('.')).split('.').map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return isOld ? `it is Redis ${version}; it must be ${OLDEST.join('.')} or newer` : null;
};
