import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { StartOptions } from './options.ts';

/** Explains why the start failed and what to do about it. */
export const explain = (error: unknown, { port, host, folder }: StartOptions): string => {
  const { code, message, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'listen' || syscall === 'getaddrinfo') {
    if (code === 'EADDRINUSE')
      return `Port ${port} is already in use. Stop the program that uses it, or choose another port: npm start -- --port 0`;
    if (code === 'EACCES') return `This user may not open port ${port}; choose one above 1023: npm start -- --port 8080`;
    return `This machine does not have the address ${host}; set --listen to one of its addresses or to 0.0.0.0`;
  }
  if (code === 'EEXIST' || code === 'ENOTDIR') return `${folder} is not a folder; choose another one with --data`;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return `${folder} is not writable (${message}); choose another folder with --data`;
  return message;
};

/** Warnings about surprising settings, one line each. */
export const warningsOf = (options: StartOptions, env: Record<string, string | undefined>): string[] =>
  [addressWarning(options), secretWarning(options, env)].filter((it) => it !== null);

/** The system is open to other machines, but its URLs work only on this one. */
const addressWarning = ({ host, publicUrl, port }: StartOptions): string | null => {
  if (publicUrl !== undefined || /^(127\.|::1$|localhost$)/.test(host)) return null;
  const [own] = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((it) => !it.internal && it.family === 'IPv4');
  const example = `--public-url http://${own?.address ?? 'this-machine'}:${port}`;
  return `warning: other machines cannot use the URLs of this system unless you set --public-url, such as ${example}`;
};

const secretWarning = ({ folder }: StartOptions, { SECRET_KEY }: Record<string, string | undefined>): string | null =>
  SECRET_KEY ? `warning: SECRET_KEY is ignored here; this system uses the key in ${join(folder, 'secret-key')}` : null;
