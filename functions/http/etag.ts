import { invalid } from './faults.ts';

/** The ETag of a value with a version; null for any other value. */
export const etagOf = (value: unknown): string | null =>
  value !== null && typeof value === 'object' && 'version' in value ? `"${String(value.version)}"` : null;

/** Whether If-None-Match names the ETag; weak ones count (RFC 9110 section 13.1.2). */
export const isKnown = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch !== undefined && ifNoneMatch.split(',').some((it) => it.trim() === '*' || it.trim().replace(/^W\//, '') === etag);

/** The version to change, from `version` in the body or from If-Match; one of them is required. */
export const wantedVersion = (version: number | undefined, ifMatch: string | undefined): number => {
  if (ifMatch === undefined) {
    if (version !== undefined) return version;
    throw invalid('body.version', 'is required (integer) unless the If-Match header gives the version');
  }
  const [, digits] = /^"(\d{1,15})"$/.exec(ifMatch.trim()) ?? [];
  if (digits === undefined) throw invalid('headers.if-match', 'must be the ETag of the version that was read, such as "3"');
  if (version !== undefined && version !== Number(digits))
    throw invalid('body.version', `must equal the version in the If-Match header, ${digits}`);
  return Number(digits);
};
