import { openPool } from '../functions/platform/pool.ts';
import { startPostgres } from './postgres.ts';

export type Database = {
  url: string;
  close(): Promise<void>;
  /** Kills the PostgreSQL if this process started it; committed data is kept. */
  kill(): void;
};

const OLDEST = 15;

/** Opens the database at `url`, or without a URL starts the PostgreSQL of `folder`. */
export const openDatabase = async ({
  url,
  folder,
  say,
}: {
  url: string | undefined;
  folder: string;
  say: (line: string) => void;
}): Promise<Database> => {
  if (!url) {
    say('starting PostgreSQL');
    const server = await startPostgres({ folder, say });
    return { url: server.url, close: () => server.stop(), kill: () => process.kill(server.pid(), 'SIGQUIT') };
  }
  say(`using the PostgreSQL at ${new URL(url).host} (DATABASE_URL)`);
  await checkDatabase(url);
  return { url, close: async () => {}, kill: () => {} };
};

const checkDatabase = async (url: string): Promise<void> => {
  const sql = openPool(url);
  try {
    const [row] = await sql<[{ version: string; number: number }]>`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as number`;
    if (row.number < OLDEST * 10_000) throw new Error(`it is PostgreSQL ${row.version}; it must be ${OLDEST} or newer`);
  } catch (cause) {
    throw new Error(`The database at DATABASE_URL cannot be used: ${(cause as Error).message}`, { cause });
  } finally {
    await sql.end();
  }
};
