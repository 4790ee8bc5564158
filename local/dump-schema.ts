import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { migrate } from '../functions/platform/migrate.ts';
import { startPostgres } from './postgres.ts';
import { dumpSchema } from './schema-dump.ts';

const folder = await mkdtemp(join(tmpdir(), 'maw-dump-'));
const server = await startPostgres({ folder, profile: 'test' });
try {
  const schema = join(import.meta.dirname, '../schema');
  await migrate({ url: server.url, folder: schema });
  const sql = postgres(server.url, { max: 1, onnotice: () => {} });
  await writeFile(join(schema, 'current.sql'), await dumpSchema(sql));
  await sql.end();
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
