import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Vault } from '../domain/ports/vault.ts';
import { deriveKey } from './worker-tokens.ts';

const NONCE = 12;
const TAG = 16;

/** AES-256-GCM under a key derived from the deployment's secret. */
export const createVault = (secret: string): Vault => {
  const key = deriveKey(secret, 'vault');
  return {
    seal: (text) => {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    open: (sealed) => {
      const bytes = Buffer.from(sealed, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), { authTagLength: TAG }).setAuthTag(
        bytes.subarray(NONCE, NONCE + TAG),
      );
      return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]).toString('utf8');
    },
  };
};
