import { bootstrap } from '../domain/organizations/organizations.ts';
import type { AwsJson } from './aws-json.ts';
import { migrate } from './migrate.ts';
import { openPool } from './pool.ts';

/**
 * Migrates the database of a deployment to the schema of this code. The first time, it also creates the administrator and stores the
 * administrator's key in a secret; if the key cannot be stored, no administrator is created. A newer database is not changed: when a
 * deploy is rolled back, this older code runs again.
 */
export const setUp = async (url: string, folder: string, adminKeySecret: string, call: AwsJson) => {
  const migrated = await migrate({ url, folder, newer: 'leave' });
  const sql = openPool(url);
  try {
    const keep = async (SecretString: string) => {
      await call('secretsmanager', 'secretsmanager.PutSecretValue', { SecretId: adminKeySecret, SecretString });
    };
    const { admin_key } = await bootstrap({ sql }, keep);
    return { ...migrated, is_new: admin_key !== null };
  } finally {
    await sql.end();
  }
};
