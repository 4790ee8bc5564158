import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootstrap } from '../functions/domain/organizations/organizations.ts';
import type { Log } from '../functions/domain/ports/log.ts';
import { personApi, workerApi } from '../functions/http/api.ts';
import { createContext } from '../functions/platform/context.ts';
import { createLog } from '../functions/platform/log.ts';
import { migrate } from '../functions/platform/migrate.ts';
import { tick } from '../functions/schedule/tick.ts';
import { parseEnv } from '../schema/env.ts';
import { createLocalBlobs } from './blobs.ts';
import { type Database, openDatabase } from './database.ts';
import { openEdges, type QueueAccess } from './edges.ts';
import { startGateway } from './gateway.ts';
import { lockFolder } from './postgres/lock.ts';
import { every } from './scheduler.ts';

export type StandaloneOptions = {
  /** Keeps everything; made when it is not there. */
  folder: string;
  /** Loopback by default. */
  host?: string;
  port?: number;
  /** Where workers on other machines reach it; its own address by default. */
  publicUrl?: string | undefined;
  /** Variables of the backend that differ from the defaults of one machine; with DATABASE_URL no Postgres is started. */
  env?: Record<string, string | undefined>;
  /** After how long a queue brings a message again whose work failed. */
  redeliverSeconds?: number;
  /** How long an answer of Redis is waited for, before work goes on without. */
  redisPatienceMs?: number;
  log?: Log;
  say?: (line: string) => void;
};
export type Standalone = {
  url: string;
  adminKeyPath: string;
  /** Empty when the database had an organization already and its key is not kept in this folder. */
  adminKey: string;
  isNew: boolean;
  database: Pick<Database, 'kill'>;
  queues: QueueAccess;
  close(): Promise<void>;
};

const TICK_MS = 1_000;
const SCHEMA = join(import.meta.dirname, '../schema');

/** Everything of the platform on one machine, in one process and a Postgres. */
export const startStandalone = async (options: StandaloneOptions): Promise<Standalone> => {
  const { folder, say = () => {} } = options;
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o711); // Postgres, as another user, must be able to pass
  const unlock = lockFolder(folder);
  const closers: (() => Promise<void>)[] = [async () => unlock()];
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

const assemble = async (
  options: StandaloneOptions,
  closers: (() => Promise<void>)[],
  close: () => Promise<void>,
  say: (line: string) => void,
): Promise<Standalone> => {
  const { folder } = options;
  const secret = await keptSecret(join(folder, 'secret-key'), () => randomBytes(32).toString('hex'));
  let publicUrl = options.publicUrl?.replace(/\/+$/, '') ?? '';
  const env = parseEnv({
    ...LOCAL_ENV,
    ...options.env,
    DATABASE_URL: options.env?.DATABASE_URL || UNKNOWN_YET,
    SECRET_KEY: secret,
    PUBLIC_URL: publicUrl || undefined,
  });
  const database = await openDatabase({ url: options.env?.DATABASE_URL, folder, say });
  closers.push(() => database.close());
  env.DATABASE_URL = database.url;
  const { applied } = await migrate({ url: database.url, folder: SCHEMA });
  if (applied.length > 0) say(`migrated the database: ${applied.join(', ')}`);

  const blobs = createLocalBlobs({ folder: join(folder, 'blobs'), publicUrl: () => publicUrl, secret });
  const log = options.log ?? createLog(env);
  const { redeliverSeconds, redisPatienceMs } = options;
  const edges = await openEdges({ env: options.env ?? {}, folder, say, log, redeliverSeconds, redisPatienceMs });
  const ctx = createContext(env, { blobs, log, ...edges.parts });
  closers.push(
    () => ctx.close(),
    () => edges.close(),
  );

  const adminKeyPath = join(folder, 'admin-key');
  const { admin_key } = await bootstrap(ctx, (key) => writeFile(adminKeyPath, `${key}\n`, { mode: 0o600 }));
  const adminKey = admin_key ?? (await readFile(adminKeyPath, 'utf8').catch(() => '')).trim();

  const sockets = edges.deliver(ctx);
  const gateway = await startGateway({
    handlers: { 'person-api': personApi(ctx), 'worker-api': workerApi(ctx) },
    first: blobs.serve,
    upgrades: sockets,
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    onError: (error) => ctx.log('error', 'gateway.failed', { error }),
  });
  closers.push(
    () => gateway.close(),
    () => sockets.close(),
  );
  const url = reachable(gateway.url);
  publicUrl ||= url;
  env.PUBLIC_URL = publicUrl;
  env.SOCKET_URL = `${publicUrl.replace(/^http/, 'ws')}/ws`;

  const clock = every(
    TICK_MS,
    () => tick(ctx),
    (error) => ctx.log(ctx.isAway(error) ? 'warn' : 'error', 'tick.failed', { error }),
  );
  closers.push(() => clock.stop());

  return { url, adminKeyPath, adminKey, isNew: admin_key !== null, database, queues: edges.queues, close };
};

/**
 * What fits one machine, where a query costs no network: workers ask more often, so that they also hear sooner of a cancel, and the
 * pool is large.
 */
const LOCAL_ENV = {
  DATABASE_POOL_SIZE: '10',
  DATABASE_PREPARE: 'true',
  CLAIM_POLL_MS: '250',
  BUSY_HEARTBEAT_MS: '5000',
  LOG_FORMAT: 'text',
  LOG_LEVEL: 'warn',
};

/** So that the other variables are checked before anything is started. */
const UNKNOWN_YET = 'postgres://127.0.0.1';

/** An address that a browser on this machine can open. */
const reachable = (url: string) => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//127.0.0.1:');

const keptSecret = async (path: string, make: () => string): Promise<string> => {
  const known = await readFile(path, 'utf8').catch(() => null);
  if (known !== null) return known.trim();
  const secret = make();
  await writeFile(path, `${secret}\n`, { mode: 0o600 });
  return secret;
};
