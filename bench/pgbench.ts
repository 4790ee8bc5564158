import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { openPool } from '../functions/platform/pool.ts';

const DEBIAN = '/usr/lib/postgresql';
const CLIENTS = 8;
const ROWS = 100_000;

/** The minimum of a job queue: claim one row with one statement in one transaction. */
const CLAIM = `update jobs set status = 'claimed'
where id = (select id from jobs where status = 'ready' order by id for update skip locked limit 1);
`;

/** On the PATH, or where Debian installs the newest version; null if it is not installed. */
export const findPgbench = (): string | null => {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a)) : [];
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...versions.map((version) => join(DEBIAN, version, 'bin'))];
  return folders.map((folder) => join(folder, 'pgbench')).find((path) => existsSync(path)) ?? null;
};

/** Rows per second that pgbench claims from a job table with 8 clients. Each run has the same number of rows. */
export const createYardstick = async (program: string, databaseUrl: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-pgbench-'));
  const script = join(folder, 'claim.sql');
  await writeFile(script, CLAIM);
  const sql = openPool(databaseUrl);
  await sql.unsafe(`
    create table jobs (id bigint primary key, status text not null, payload text not null) with (fillfactor = 50, autovacuum_enabled = off);
    create index jobs_ready on jobs (id) where status = 'ready'`);

  const fill = async () => {
    await sql.unsafe('truncate jobs');
    await sql.unsafe(`insert into jobs select n, 'ready', repeat('x', 100) from generate_series(1, ${ROWS}) n`);
    await sql.unsafe('vacuum (analyze, freeze) jobs');
  };
  return {
    measure: async (seconds: number): Promise<number> => {
      await fill();
      const options = ['-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', '2', '-T', String(seconds), '-f', script, databaseUrl];
      await promisify(execFile)(program, options);
      const [{ claimed }] = await sql<[{ claimed: number }]>`select count(*)::int as claimed from jobs where status = 'claimed'`;
      if (claimed >= ROWS) throw new Error(`pgbench ran out of its ${ROWS} rows`);
      return claimed / seconds;
    },
    close: async () => {
      await sql.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
