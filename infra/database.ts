import { ArnFormat, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnDBCluster } from 'aws-cdk-lib/aws-rds';
import { addVariables } from './environment.ts';
import { allow } from './function.ts';
import type { Settings } from './settings.ts';
import { allowSource, textOf } from './sources.ts';

/** The administrator and the first database, which Aurora creates. */
const USER = 'postgres';
const NAME = 'postgres';

export type Database = { url: string; connectArn: string };

/**
 * An Aurora PostgreSQL that needs no network of its own, pauses when idle, and authenticates with IAM. It is kept when the stack is
 * deleted.
 */
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

/** Where Lambda stores the certificate authorities of RDS; Node reads them only if this variable is set. */
const RDS_AUTHORITIES = '/var/runtime/ca-cert.pem';

/** Access to the stack's own database, or to the one whose URL is stored elsewhere. */
export const grantDatabase = (fn: LambdaFunction, { databaseUrl }: Settings, own: Database | null) => {
  if (own !== null) {
    allow(fn, ['rds-db:connect'], own.connectArn);
    addVariables(fn, { DATABASE_URL: own.url, NODE_EXTRA_CA_CERTS: RDS_AUTHORITIES });
  } else if (databaseUrl !== null) {
    allowSource(fn, databaseUrl);
    addVariables(fn, { DATABASE_URL_FROM: textOf(databaseUrl) });
  }
};
