import { bootstrap } from '../domain/organizations/organizations.ts';
import type { AwsJson } from './aws-json.ts';
import { migrate } from './migrate.ts';
import { openPool } from './pool.ts';

/**
 * Brings the database of a deployment to the schema of this code, and the first time makes its administrator, whose key is put into a
 * secret: one that can't be kept is not made. A newer database is left as it is: a deploy that is rolled back calls the older code again.
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
