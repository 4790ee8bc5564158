import { CfnResource, Duration, type Stack } from 'aws-cdk-lib';
import { Trigger } from 'aws-cdk-lib/triggers';
import { logGroup } from './function.ts';
import type { Functions } from './functions.ts';

/** Longer than the migration may take, so that its own error is told. */
const TIMEOUT = Duration.minutes(12);

/**
 * Each deploy whose schema or code of migration changed calls it before any Lambda is changed: old code goes on with the new schema until
 * then, and altogether when it fails.
 */
export const migrateBefore = (stack: Stack, { migrate, ...others }: Functions) => {
  new Trigger(stack, 'Migration', { handler: migrate, timeout: TIMEOUT, executeBefore: Object.values(others) });
  const provider = stack.node.findChild('AWSCDK.TriggerCustomResourceProviderCustomResourceProvider');
  const handler = provider.node.findChild('Handler') as CfnResource;
  handler.addPropertyOverride('LoggingConfig', { LogGroup: logGroup(stack, 'MigrationCallLogs').logGroupName });
};
