import { readFileSync } from 'node:fs';
import { isIP, connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createRdsToken } from '../rds-token.ts';

/** Where to connect and as whom. */
export type Target = {
  host: string;
  port: number;
  user: string;
  database: string;
  /** Created for each connection, because an IAM token expires. */
  password(): Promise<string>;
  /** Null without TLS. */
  tls: ConnectionOptions | null;
  /** Further session settings, in the format of the libpq parameter `options`. */
  options: string;
};

/** TLS according to `sslmode` in the URL: the server is verified unless the mode is `no-verify`. */
const tlsOf = ({ searchParams }: URL): ConnectionOptions | null => {
  const mode = searchParams.get('sslmode') ?? (searchParams.get('ssl') === 'true' ? 'require' : 'disable');
  if (mode === 'disable') return null;
  const file = (name: string) => {
    const path = searchParams.get(name);
    return path === null || path === 'system' ? undefined : readFileSync(path);
  };
  const [ca, cert, key] = [file('sslrootcert'), file('sslcert'), file('sslkey')];
  return { rejectUnauthorized: mode !== 'no-verify', ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
};

/** Parses a database URL. With `auth=iam`, each connection uses TLS and an IAM token as its password. */
export const targetOf = (url: string): Target => {
  const at = new URL(url);
  const host = at.searchParams.get('host') ?? at.hostname.replace(/^\[|\]$/g, '');
  const [port, user] = [Number(at.port || 5432), decodeURIComponent(at.username) || 'postgres'];
  const target = {
    host: host || '127.0.0.1',
    port,
    user,
    database: decodeURIComponent(at.pathname.slice(1)) || user,
    options: at.searchParams.get('options') ?? '',
  };
  if (at.searchParams.get('auth') === 'iam') {
    const token = createRdsToken();
    return { ...target, tls: { rejectUnauthorized: true }, password: () => token({ hostname: host, port, user }) };
  }
  const password = decodeURIComponent(at.password);
  return { ...target, tls: tlsOf(at), password: async () => password };
};

/** An SSLRequest message: its length and a code that is not a protocol version. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** Waits for the next event of this name; rejects if the socket fails or closes first. */
const next = <T>(socket: Socket, event: string): Promise<T> =>
  new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('The server closed the connection')));
  });

const secure = async (socket: Socket, { host }: Target, options: ConnectionOptions): Promise<Socket> => {
  socket.write(SSL_REQUEST);
  const answer = await next<Buffer>(socket, 'data');
  // Further bytes would be plain text that an attacker injected before the encrypted stream.
  if (answer.toString('latin1') !== 'S') throw new Error('The server does not support SSL connections');
  return connectTls({ ...options, socket, ...(isIP(host) ? { host } : { host, servername: host }) });
};

/**
 * Opens a socket to the server, with TLS if the target has it. `opened` receives each socket as soon as it exists, so that it can be
 * closed at any time.
 */
export const openSocket = async (target: Target, opened: (socket: Socket) => void): Promise<Socket> => {
  const { host, port, tls } = target;
  const watch = (socket: Socket) => {
    socket.on('error', () => {}); // the close event follows and is handled
    opened(socket);
  };
  const place = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  const socket = connectTcp({ ...place, keepAlive: true, keepAliveInitialDelay: 60_000, noDelay: true });
  watch(socket);
  await next(socket, 'connect');
  if (tls === null) return socket;
  const secured = await secure(socket, target, tls);
  watch(secured);
  await next(secured, 'secureConnect');
  return secured;
};
