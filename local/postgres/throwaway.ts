import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresOptions, type RunningPostgres, startPostgres } from '../postgres.ts';

/** A temporary PostgreSQL for tests and measurements; `stop` removes everything. */
export const startThrowawayPostgres = async (profile: NonNullable<PostgresOptions['profile']>): Promise<RunningPostgres> => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-postgres-'));
  await chmod(folder, 0o711); // PostgreSQL may run as another user, which must be able to enter the folder
  const server = await startPostgres({ folder, profile });
  return {
    ...server,
    stop: async () => {
      await server.stop();
      for (const path of [server.folder, folder]) await rm(path, { recursive: true, force: true });
    },
  };
};
