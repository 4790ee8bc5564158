import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresOptions, type RunningPostgres, startPostgres } from '../postgres.ts';

/** A PostgreSQL for as long as something is measured or tested; `stop` leaves nothing behind. */
export const startThrowawayPostgres = async (profile: NonNullable<PostgresOptions['profile']>): Promise<RunningPostgres> => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-postgres-'));
  await chmod(folder, 0o711); // as root it runs as another user, who must be able to pass
  const server = await startPostgres({ folder, profile });
  return {
    ...server,
    stop: async () => {
      await server.stop();
      for (const path of [server.folder, folder]) await rm(path, { recursive: true, force: true });
    },
  };
};
