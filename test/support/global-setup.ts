import { join } from 'node:path';
import { openPool } from '../../functions/platform/pool.ts';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../functions/platform/migrate.ts';
import { startThrowawayPostgres } from '../../local/postgres/throwaway.ts';
import { installEdgeGuard } from './edge-guard.ts';

declare module 'vitest' {
  interface ProvidedContext {
    databaseUrl: string;
  }
}

export const TEMPLATE = 'template_of_tests';

/** A temporary server, or the one at TEST_DATABASE_URL (for example an older PostgreSQL). */
const startServer = async (): Promise<{ url: string; stop(): Promise<void> }> => {
  const given = process.env.TEST_DATABASE_URL;
  return given ? { url: given, stop: async () => {} } : startThrowawayPostgres('test');
};

export default async (project: TestProject) => {
  const server = await startServer();
  const admin = openPool(server.url);
  await admin.unsafe(`drop database if exists ${TEMPLATE}`);
  await admin.unsafe(`create database ${TEMPLATE}`);
  await admin.end();
  const template = new URL(server.url);
  template.pathname = `/${TEMPLATE}`;
  await migrate({ url: template.href, folder: join(import.meta.dirname, '../../schema') });
  await installEdgeGuard(template.href);
  project.provide('databaseUrl', server.url);
  return server.stop;
};
