import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootstrap } from '../functions/domain/organizations/organizations.ts';
import type { Log } from '../functions/domain/ports/log.ts';
import { personApi, workerApi } from '../functions/http/api.ts';
import { type Composed, createContext } from '../functions/platform/context.ts';
import { createLog } from '../functions/platform/log.ts';
import { migrate } from '../functions/platform/migrate.ts';
import { tick } from '../functions/schedule/tick.ts';
import { type Env, parseEnv } from '../schema/env.ts';
import { createLocalBlobs, type LocalBlobs } from './blobs.ts';
import { type Database, openDatabase } from './database.ts';
import { type Edges, openEdges, type QueueAccess } from './edges.ts';
import { startGateway } from './gateway.ts';
import { lockFolder } from './postgres/lock.ts';
import { every } from './scheduler.ts';

export type StandaloneOptions = {
  /** Folder of all data; created if it does not exist. */
  folder: string;
  /** Loopback by default. */
  host?: string;
  port?: number;
  /** URL at which workers on other machines reach this one; by default its own address. */
  publicUrl?: string | undefined;
  /** Settings of the backend that override the defaults for one machine. If DATABASE_URL is set, no PostgreSQL is started. */
  env?: Record<string, string | undefined>;
  /** How long a failed message stays hidden before its queue delivers it again. */
  redeliverSeconds?: number;
  /** How long to wait for Redis before the work continues without it. */
  redisPatienceMs?: number;
  log?: Log;
  say?: (line: string) => void;
};
export type Standalone = {
  url: string;
  adminKeyPath: string;
  /** Empty if the database already had an organization and its key is not stored in this folder. */
  adminKey: string;
  isNew: boolean;
  database: Pick<Database, 'kill'>;
  queues: QueueAccess;
  close(): Promise<void>;
};

const TICK_MS = 1_000;
const SCHEMA = join(import.meta.dirname, '../schema');

/** Starts the whole platform on one machine: one process, and a PostgreSQL. */
export const startStandalone = async (options: StandaloneOptions): Promise<Standalone> => {
  const { folder, say = () => {} } = options;
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o711); // PostgreSQL may run as another user, which must be able to enter the folder
  const unlock = lockFolder(folder);
  const closers: Closers = [async () => unlock()];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    return await assemble(options, closers, close, say);
  } catch (error) {
    await close();
    throw error;
  }
};

type Closers = (() => Promise<void>)[];

const assemble = async (
  options: StandaloneOptions,
  closers: Closers,
  close: () => Promise<void>,
  say: (line: string) => void,
): Promise<Standalone> => {
  const env = await readEnv(options);
  const database = await openMigrated(options, env, closers, say);
  const { ctx, blobs, edges } = await openBackend(options, env, closers, say);

  const adminKeyPath = join(options.folder, 'admin-key');
  const { admin_key } = await bootstrap(ctx, (key) => writeFile(adminKeyPath, `${key}\n`, { mode: 0o600 }));
  const adminKey = admin_key ?? (await readFile(adminKeyPath, 'utf8').catch(() => '')).trim();

  const url = await serve(options, ctx, blobs, edges, closers);
  const publicUrl = publicUrlOf(options) || url;
  env.PUBLIC_URL = publicUrl;
  env.SOCKET_URL = `${publicUrl.replace(/^http/, 'ws')}/ws`;

  const clock = every(
    TICK_MS,
    () => tick(ctx),
    (error) => ctx.log(ctx.isUnavailable(error) ? 'warn' : 'error', 'tick.failed', { error }),
  );
  closers.push(() => clock.stop());

  return { url, adminKeyPath, adminKey, isNew: admin_key !== null, database, queues: edges.queues, close };
};

const publicUrlOf = ({ publicUrl }: StandaloneOptions) => publicUrl?.replace(/\/+$/, '') ?? '';

const readEnv = async (options: StandaloneOptions): Promise<Env> =>
  parseEnv({
    ...LOCAL_ENV,
    ...options.env,
    DATABASE_URL: options.env?.DATABASE_URL || PLACEHOLDER_URL,
    SECRET_KEY: await readOrCreateSecret(join(options.folder, 'secret-key'), () => randomBytes(32).toString('hex')),
    PUBLIC_URL: publicUrlOf(options) || undefined,
  });

const openMigrated = async (options: StandaloneOptions, env: Env, closers: Closers, say: (line: string) => void): Promise<Database> => {
  const database = await openDatabase({ url: options.env?.DATABASE_URL, folder: options.folder, say });
  closers.push(() => database.close());
  env.DATABASE_URL = database.url;
  const { applied } = await migrate({ url: database.url, folder: SCHEMA });
  if (applied.length > 0) say(`migrated the database: ${applied.join(', ')}`);
  return database;
};

const openBackend = async (options: StandaloneOptions, env: Env, closers: Closers, say: (line: string) => void) => {
  const { folder, redeliverSeconds, redisPatienceMs } = options;
  const blobs = createLocalBlobs({ folder: join(folder, 'blobs'), publicUrl: () => env.PUBLIC_URL, secret: env.SECRET_KEY });
  const log = options.log ?? createLog(env);
  const edges = await openEdges({ env: options.env ?? {}, folder, say, log, redeliverSeconds, redisPatienceMs });
  const ctx = createContext(env, { blobs, log, ...edges.parts });
  closers.push(
    () => ctx.close(),
    () => edges.close(),
  );
  return { ctx, blobs, edges };
};

/** Starts the gateway and the delivery of messages; returns the gateway's address. */
const serve = async (
  { host = '127.0.0.1', port = 0 }: StandaloneOptions,
  ctx: Composed,
  blobs: LocalBlobs,
  edges: Edges,
  closers: Closers,
): Promise<string> => {
  const sockets = edges.deliver(ctx);
  const gateway = await startGateway({
    handlers: { 'person-api': personApi(ctx), 'worker-api': workerApi(ctx) },
    first: blobs.serve,
    upgrades: sockets,
    host,
    port,
    onError: (error) => ctx.log('error', 'gateway.failed', { error }),
  });
  closers.push(
    () => gateway.close(),
    () => sockets.close(),
  );
  return browsableUrl(gateway.url);
};

/**
 * Defaults for one machine, where a query costs no network round trip: workers ask more often, so they also learn of a cancellation
 * sooner, and the connection pool is larger.
 */
const LOCAL_ENV = {
  DATABASE_POOL_SIZE: '10',
  DATABASE_PREPARE: 'true',
  CLAIM_POLL_MS: '250',
  BUSY_HEARTBEAT_MS: '5000',
  LOG_FORMAT: 'text',
  LOG_LEVEL: 'warn',
};

/** A placeholder, so that the other settings are checked before anything is started. */
const PLACEHOLDER_URL = 'postgres://127.0.0.1';

/** An address that a browser on this machine can open. */
const browsableUrl = (url: string) => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//127.0.0.1:');

const readOrCreateSecret = async (path: string, make: () => string): Promise<string> => {
  const stored = await readFile(path, 'utf8').catch(() => null);
  if (stored !== null) return stored.trim();
  const secret = make();
  await writeFile(path, `${secret}\n`, { mode: 0o600 });
  return secret;
};
