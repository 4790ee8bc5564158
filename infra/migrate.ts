import { CfnResource, Duration, type Stack } from 'aws-cdk-lib';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Trigger } from 'aws-cdk-lib/triggers';
import { type Database, grantDatabase } from './database.ts';
import { addVariables } from './environment.ts';
import { logGroup } from './function.ts';
import type { Functions } from './functions.ts';
import { grantStoreAdminKey } from './secrets.ts';
import type { Settings } from './settings.ts';
import { allowSource, textOf } from './sources.ts';

/** Longer than the migration's own limit, so that its own error is reported. */
const TIMEOUT = Duration.minutes(12);

/**
 * A deploy whose schema or migration code changed calls it before any Lambda is updated. Until then the old code runs with the new
 * schema, and it stays if the migration fails.
 */
export const migrateBefore = (stack: Stack, { migrate, ...others }: Functions) => {
  new Trigger(stack, 'Migration', { handler: migrate, timeout: TIMEOUT, executeBefore: Object.values(others) });
  const provider = stack.node.findChild('AWSCDK.TriggerCustomResourceProviderCustomResourceProvider');
  const handler = provider.node.findChild('Handler') as CfnResource;
  handler.addPropertyOverride('LoggingConfig', { LogGroup: logGroup(stack, 'MigrationCallLogs').logGroupName });
};

/** The migration connects to the database directly where it can bypass the pooler, and stores the first admin key. */
export const grantMigration = (
  { migrate }: Functions,
  settings: Settings,
  { adminKey, database }: { adminKey: Secret; database: Database | null },
) => {
  grantDatabase(migrate, settings, database);
  if (settings.databaseDirectUrl !== null) {
    allowSource(migrate, settings.databaseDirectUrl);
    addVariables(migrate, { DATABASE_DIRECT_URL_FROM: textOf(settings.databaseDirectUrl) });
  }
  grantStoreAdminKey(migrate, adminKey);
};
