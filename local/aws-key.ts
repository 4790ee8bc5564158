import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What the clients of the AWS SDK sign with. */
export type AwsKey = { accessKeyId: string; secretAccessKey: string };

export const REGION = 'us-east-1';

/** A key for the emulated services of one process: other users of this machine reach them too, and don't know it. */
export const createAwsKey = (): AwsKey => ({
  accessKeyId: randomBytes(20).toString('hex'),
  secretAccessKey: randomBytes(20).toString('hex'),
});

const digest = (text: string) => createHash('sha256').update(text).digest();

/**
 * Whether a request comes from this machine and names the key in its signature. The id is the secret, and the signature is
 * not computed: what is sent never leaves the loopback interface.
 */
export const holdsKey = ({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>, key: AwsKey): boolean => {
  const peer = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  const [, named = ''] = /^AWS4-HMAC-SHA256 Credential=([^/\s]+)\//.exec(headers.authorization ?? '') ?? [];
  return (peer.startsWith('127.') || peer === '::1') && timingSafeEqual(digest(named), digest(key.accessKeyId));
};
