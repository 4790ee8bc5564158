import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The credentials with which the AWS SDK signs requests. */
export type AwsKey = { accessKeyId: string; secretAccessKey: string };

export const REGION = 'us-east-1';

/** A random key for the emulated services of one process: other users of this machine can reach them, but do not know the key. */
export const createAwsKey = (): AwsKey => ({
  accessKeyId: randomBytes(20).toString('hex'),
  secretAccessKey: randomBytes(20).toString('hex'),
});

const digest = (text: string) => createHash('sha256').update(text).digest();

/**
 * Whether a request comes from this machine and has the key's id in its signature. The id is the secret and the signature itself is
 * not verified, because the request never leaves the loopback interface.
 */
export const holdsKey = ({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>, key: AwsKey): boolean => {
  const peer = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  const [, named = ''] = /^AWS4-HMAC-SHA256 Credential=([^/\s]+)\//.exec(headers.authorization ?? '') ?? [];
  return (peer.startsWith('127.') || peer === '::1') && timingSafeEqual(digest(named), digest(key.accessKeyId));
};
