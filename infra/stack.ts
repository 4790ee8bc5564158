import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { PRODUCT } from '../schema/product.ts';
import { createAlarms } from './alarms.ts';
import { createArtifacts, grantArtifacts } from './artifacts.ts';
import { createDashboard } from './dashboard.ts';
import { createDatabase, type Database, grantDatabase } from './database.ts';
import { environment } from './environment.ts';
import { createFunctions, type Functions, servingOf } from './functions.ts';
import { addRoutes, createHttpApi, urlOf } from './http-api.ts';
import { grantMigration, migrateBefore } from './migrate.ts';
import { consumeQueue, createQueues, grantQueues, type Queues } from './queues.ts';
import { grantRedis } from './redis.ts';
import { everyMinute } from './schedule.ts';
import { createAdminKey, createSecretKey, grantSecretKey } from './secrets.ts';
import type { Settings } from './settings.ts';
import { addSocketRoutes, createSocketApi, grantSockets } from './socket-api.ts';

const shared = { description: `${PRODUCT.app} ${PRODUCT.version}`, analyticsReporting: false, terminationProtection: true };

/** What is kept when everything else is deleted: queues, artifacts, secrets, and the database if it was created here. */
export class DataStack extends Stack {
  readonly queues: Queues;
  readonly artifacts: Bucket;
  readonly secretKey: Secret;
  readonly adminKey: Secret;
  /** Null: the database is stored elsewhere. */
  readonly database: Database | null;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, shared);
    this.queues = createQueues(this, settings);
    this.artifacts = createArtifacts(this, settings);
    this.secretKey = createSecretKey(this);
    this.adminKey = createAdminKey(this);
    this.database = settings.databaseUrl === null ? createDatabase(this) : null;
    new CfnOutput(this, 'AdminKeySecret', { value: this.adminKey.secretArn });
    for (const [name, { queue, dead }] of [
      ['Subtasks', this.queues.subtasks],
      ['Events', this.queues.events],
    ] as const) {
      new CfnOutput(this, `${name}QueueUrl`, { value: queue.queueUrl });
      new CfnOutput(this, `${name}DeadQueueUrl`, { value: dead.queueUrl });
    }
  }
}

export type AppProps = { settings: Settings; data: DataStack };

/** Everything that runs, with a PostgreSQL that it reaches by URL. The deploy chooses the account and region. */
export class AppStack extends Stack {
  readonly functions: Functions;
  /** Where clients and workers reach the deployment. */
  readonly url: string;

  constructor(scope: Construct, id: string, { settings, data }: AppProps) {
    super(scope, id, { ...shared, terminationProtection: false });
    const api = createHttpApi(this);
    const apiUrl = urlOf(api, settings);
    this.url = settings.publicUrl ?? apiUrl;
    const sockets = createSocketApi(this, settings);
    this.functions = createFunctions(this, environment(settings, { apiUrl, socketUrl: sockets.url }));
    for (const fn of servingOf(this.functions)) {
      grantDatabase(fn, settings, data.database);
      grantRedis(fn, settings);
      grantSecretKey(fn, data.secretKey);
    }
    grantQueues(this.functions, data.queues);
    grantSockets(this.functions, sockets);
    grantArtifacts(this.functions, data.artifacts, settings);
    grantMigration(this.functions, settings, data);
    migrateBefore(this, this.functions);
    addRoutes(api, this.functions);
    addSocketRoutes(sockets, this.functions.socket);
    consumeQueue(this.functions.dispatch, data.queues.subtasks);
    consumeQueue(this.functions.broadcast, data.queues.events);
    everyMinute(this, this.functions.tick);
    createAlarms(this, { functions: this.functions, queues: data.queues, api, settings });
    createDashboard(this, { functions: this.functions, queues: data.queues, api });
    new CfnOutput(this, 'ApiUrl', { value: apiUrl });
    new CfnOutput(this, 'SocketUrl', { value: sockets.url });
  }
}
