import type { LinkedRequester } from './requester.ts';

/** The first one with ZMSCORE, ZRANGE BYSCORE and ZADD GT. */
const OLDEST = [6, 2] as const;

/** Null when the server does not tell. */
export const versionOf = async (requester: LinkedRequester): Promise<string | null> => {
  const { result } = await requester.request<string>({ body: ['info', 'server'] });
  return /^redis_version:(\S+)/m.exec(result ?? '')?.[1] ?? null;
};

/** What is wrong with a version; null when nothing is. */
export const faultOf = (version: string | null): string | null => {
  const [major = 0, minor = 0] = (version ?? OLDEST.join('.')).split('.').map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  return isOld ? `it is Redis ${version}; it must be ${OLDEST.join('.')} or newer` : null;
};
