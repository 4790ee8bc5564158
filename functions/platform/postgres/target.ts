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
  /** Made for each connection, because a token of IAM expires. */
  password(): Promise<string>;
  /** Null without TLS. */
  tls: ConnectionOptions | null;
  /** More settings of a session, in the form of `options` of libpq. */
  options: string;
};

/** TLS as `sslmode` of the URL says: who answers is verified unless the mode is `no-verify`. */
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

/** Reads a URL of a database. With `auth=iam` each connection gets a token of IAM for its password, over TLS. */
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

/** A request for TLS: its length and a number that no version of the protocol has. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** The next event of that name; an error when the socket fails or closes before it. */
const next = <T>(socket: Socket, event: string): Promise<T> =>
  new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('The server closed the connection')));
  });

const secure = async (socket: Socket, { host }: Target, options: ConnectionOptions): Promise<Socket> => {
  socket.write(SSL_REQUEST);
  const answer = await next<Buffer>(socket, 'data');
  // More than this one byte would be text that somebody on the way puts before what is encrypted.
  if (answer.toString('latin1') !== 'S') throw new Error('The server does not support SSL connections');
  return connectTls({ ...options, socket, ...(isIP(host) ? { host } : { host, servername: host }) });
};

/**
 * A socket to the server, with TLS where it is wanted. `opened` gets each socket as soon as it exists, so that it can be closed at any
 * time.
 */
export const openSocket = async (target: Target, opened: (socket: Socket) => void): Promise<Socket> => {
  const { host, port, tls } = target;
  const watch = (socket: Socket) => {
    socket.on('error', () => {}); // the end of the socket follows, and is what counts
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
