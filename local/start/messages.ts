import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { StartOptions } from './options.ts';

/** Why it did not start, and what to do about it. */
export const explain = (error: unknown, { port, host, folder }: StartOptions): string => {
  const { code, message, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'listen' || syscall === 'getaddrinfo') {
    if (code === 'EADDRINUSE') return `The port ${port} is in use. Stop what uses it, or start with another: npm start -- --port 0`;
    if (code === 'EACCES') return `This user may not open the port ${port}; take one above 1023: npm start -- --port 8080`;
    return `This machine has no address ${host}; --listen takes one of its own, or 0.0.0.0`;
  }
  if (code === 'EEXIST' || code === 'ENOTDIR') return `${folder} is not a folder; choose another one with --data`;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return `${folder} can't be written (${message}); choose another folder with --data`;
  return message;
};

/** What a person may not expect, a line for each. */
export const warningsOf = (options: StartOptions, env: Record<string, string | undefined>): string[] =>
  [addressWarning(options), secretWarning(options, env)].filter((it) => it !== null);

/** It is opened to other machines, and they would be told an address that is good on this one only. */
const addressWarning = ({ host, publicUrl, port }: StartOptions): string | null => {
  if (publicUrl !== undefined || /^(127\.|::1$|localhost$)/.test(host)) return null;
  const [own] = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((it) => !it.internal && it.family === 'IPv4');
  const example = `--public-url http://${own?.address ?? 'this-machine'}:${port}`;
  return `warning: other machines get addresses of this one only with --public-url, such as ${example}`;
};

const secretWarning = ({ folder }: StartOptions, { SECRET_KEY }: Record<string, string | undefined>): string | null =>
  SECRET_KEY ? `warning: SECRET_KEY is not used here; the key of this system is the one in ${join(folder, 'secret-key')}` : null;
