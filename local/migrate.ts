import { join } from 'node:path';
import { migrate } from '../functions/platform/migrate.ts';
import { startPostgres } from './postgres.ts';

const folder = join(import.meta.dirname, '../schema');
const tell = ({ applied }: { applied: string[] }) =>
  process.stdout.write(applied.length > 0 ? `applied: ${applied.join(', ')}\n` : 'nothing to do\n');

/** The database at DATABASE_URL, or else the one of this machine's home. */
const url = process.env.DATABASE_URL;
if (url) tell(await migrate({ url, folder }));
else {
  const data = process.env.MAW_DATA ?? join(import.meta.dirname, '../.maw');
  const postgres = await startPostgres({ folder: data, say: (line) => process.stdout.write(`${line}\n`) });
  try {
    tell(await migrate({ url: postgres.url, folder }));
  } finally {
    await postgres.stop();
  }
}
