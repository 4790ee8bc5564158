import { createHash, randomBytes } from 'node:crypto';

/** A new bearer secret, such as mak_…: 256 random bits after its prefix. */
export const newSecret = (prefix: 'mak' | 'mae'): string => `${prefix}_${randomBytes(32).toString('base64url')}`;

/** The hash that is stored for a bearer secret. The secret is random, so a fast hash is enough. */
export const secretHash = (secret: string): Buffer => createHash('sha256').update(secret).digest();
