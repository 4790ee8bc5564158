import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPool } from '../functions/platform/pool.ts';
import { migrate } from '../functions/platform/migrate.ts';
import { startThrowawayPostgres } from '../local/postgres/throwaway.ts';
import { dumpSchema } from '../local/schema-dump.ts';

const server = await startThrowawayPostgres('test');
try {
  const schema = join(import.meta.dirname, '../schema');
  await migrate({ url: server.url, folder: schema });
  const sql = openPool(server.url);
  await writeFile(join(schema, 'current.sql'), await dumpSchema(sql));
  await sql.end();
} finally {
  await server.stop();
}
