import { ArnFormat, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { CfnDBCluster } from 'aws-cdk-lib/aws-rds';

/** The administrator that Aurora makes, and its first database. */
const USER = 'postgres';
const NAME = 'postgres';

export type Database = { url: string; connectArn: string };

/** An Aurora PostgreSQL that needs no network of its own, sleeps when nobody asks, and lets in whom IAM lets in. It is kept when the stack goes. */
export const createDatabase = (stack: Stack): Database => {
  const cluster = new CfnDBCluster(stack, 'Database', {
    engine: 'aurora-postgresql',
    withExpressConfiguration: true,
    deletionProtection: true,
  });
  // cfn-lint 1.58.0 does not know WithExpressConfiguration; CDK's types check the names.
  cluster.addMetadata('cfn-lint', { config: { ignore_checks: ['E3002'] } });
  cluster.applyRemovalPolicy(RemovalPolicy.RETAIN);
  const resourceName = `${cluster.attrDbClusterResourceId}/${USER}`;
  return {
    url: `postgres://${USER}@${cluster.attrEndpointAddress}:${cluster.attrEndpointPort}/${NAME}?auth=iam`,
    connectArn: stack.formatArn({ service: 'rds-db', resource: 'dbuser', resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME }),
  };
};
