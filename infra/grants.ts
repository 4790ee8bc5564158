import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Env } from '../schema/env.ts';
import type { Database } from './database.ts';
import type { Functions } from './functions.ts';
import type { QueueName, Queues } from './queues.ts';
import type { Settings } from './settings.ts';
import type { SocketApi } from './socket-api.ts';
import { arnOf, type Source, textOf } from './sources.ts';

/** Variables that come with a right, from here. */
export type Granted =
  | 'DATABASE_URL'
  | 'SECRET_KEY'
  | `UPSTASH_REDIS_REST_${'URL' | 'TOKEN'}`
  | 'SOCKET_ENDPOINT'
  | `${'SUBTASKS' | 'EVENTS'}_${'' | 'DEAD_'}QUEUE_URL`
  | 'ARTIFACTS_URL';
type Variable = Extract<keyof Env, Granted> | `${Granted}_FROM` | 'DATABASE_DIRECT_URL_FROM' | 'ADMIN_KEY_SECRET' | 'NODE_EXTRA_CA_CERTS';

const give = (fn: LambdaFunction, variables: Partial<Record<Variable, string>>) => {
  for (const [name, value] of Object.entries(variables)) fn.addEnvironment(name, value);
};
const allow = (fn: LambdaFunction, actions: readonly string[], ...resources: string[]) =>
  fn.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources }));

const allowSource = (fn: LambdaFunction, source: Source) =>
  allow(fn, [source.service === 'ssm' ? 'ssm:GetParameter' : 'secretsmanager:GetSecretValue'], arnOf(Stack.of(fn), source));

/** Where Lambda keeps the authorities of RDS; Node reads them only when it is told to. */
const RDS_AUTHORITIES = '/var/runtime/ca-cert.pem';

const grantOwnDatabase = (fn: LambdaFunction, { url, connectArn }: Database) => {
  allow(fn, ['rds-db:connect'], connectArn);
  give(fn, { DATABASE_URL: url, NODE_EXTRA_CA_CERTS: RDS_AUTHORITIES });
};
/** Read when a function starts; the templates hold only where it is found. */
const grantNamedDatabase = (fn: LambdaFunction, databaseUrl: Source) => {
  allowSource(fn, databaseUrl);
  give(fn, { DATABASE_URL_FROM: textOf(databaseUrl) });
};
const grantDatabase = (fn: LambdaFunction, { databaseUrl }: Settings, own: Database | null) => {
  if (own !== null) grantOwnDatabase(fn, own);
  else if (databaseUrl !== null) grantNamedDatabase(fn, databaseUrl);
};

const grantRedis = (fn: LambdaFunction, { redis }: Settings) => {
  if (redis === null) return;
  allowSource(fn, redis);
  give(fn, { UPSTASH_REDIS_REST_URL_FROM: textOf(redis, 'url'), UPSTASH_REDIS_REST_TOKEN_FROM: textOf(redis, 'token') });
};

const grantSecretKey = (fn: LambdaFunction, key: Secret) => {
  allow(fn, ['secretsmanager:GetSecretValue'], key.secretArn);
  give(fn, { SECRET_KEY_FROM: `secretsmanager:${key.secretArn}` });
};

const QUEUE_VARIABLES = { subtasks: 'SUBTASKS', events: 'EVENTS' } as const satisfies Record<QueueName, string>;
const knowQueues = (fn: LambdaFunction, queues: Queues) => {
  for (const name of ['subtasks', 'events'] as const) {
    give(fn, {
      [`${QUEUE_VARIABLES[name]}_QUEUE_URL`]: queues[name].queue.queueUrl,
      [`${QUEUE_VARIABLES[name]}_DEAD_QUEUE_URL`]: queues[name].dead.queueUrl,
    });
  }
};
const allowQueues = (fn: LambdaFunction, queues: readonly Queue[], actions: readonly string[]) =>
  allow(
    fn,
    actions.map((action) => `sqs:${action}`),
    ...queues.map(({ queueArn }) => queueArn),
  );

/** Whoever commits sends what it left in the outbox; the tick sends what was left behind, and dispatch ends what is overdue. */
const grantSend = (fn: LambdaFunction, queues: Queues) => {
  knowQueues(fn, queues);
  allowQueues(fn, [queues.subtasks.queue, queues.events.queue], ['SendMessage']);
};
/** A message that fails for good is put aside with its reason. */
const grantBury = (fn: LambdaFunction, queues: Queues, name: QueueName) => {
  knowQueues(fn, queues);
  allowQueues(fn, [queues[name].dead], ['SendMessage']);
};
/** An operator lists dead letters and brings them back. */
const grantOperate = (fn: LambdaFunction, { subtasks, events }: Queues) => {
  allowQueues(fn, [subtasks.queue, events.queue], ['GetQueueAttributes']);
  allowQueues(
    fn,
    [subtasks.dead, events.dead],
    ['GetQueueAttributes', 'ReceiveMessage', 'ChangeMessageVisibility', 'DeleteMessage', 'StartMessageMoveTask'],
  );
};

/** Writes to open sockets, and closes them. */
const grantPush = (fn: LambdaFunction, { api, stage, endpoint }: SocketApi) => {
  const resources = ['POST', 'DELETE'].map((method) =>
    Stack.of(api).formatArn({
      service: 'execute-api',
      resource: api.apiId,
      resourceName: `${stage.stageName}/${method}/@connections/*`,
    }),
  );
  allow(fn, ['execute-api:ManageConnections'], ...resources);
  give(fn, { SOCKET_ENDPOINT: endpoint });
};

type Files = { bucket: Bucket; url: string };
/** An address that is signed may do what its signer may. */
const grantFiles = (fn: LambdaFunction, { bucket, url }: Files, ...actions: ('GetObject' | 'PutObject' | 'DeleteObject')[]) => {
  allow(
    fn,
    actions.map((action) => `s3:${action}`),
    bucket.arnForObjects('*'),
  );
  give(fn, { ARTIFACTS_URL: url });
};
/** Without it S3 does not say that a file is not there. */
const grantLook = (fn: LambdaFunction, { bucket }: Files) => allow(fn, ['s3:ListBucket'], bucket.bucketArn);

const grantMigrate = (fn: LambdaFunction, settings: Settings, { adminKey, database }: Pick<Grantable['data'], 'adminKey' | 'database'>) => {
  grantDatabase(fn, settings, database);
  if (settings.databaseDirectUrl !== null) {
    allowSource(fn, settings.databaseDirectUrl);
    give(fn, { DATABASE_DIRECT_URL_FROM: textOf(settings.databaseDirectUrl) });
  }
  allow(fn, ['secretsmanager:PutSecretValue'], adminKey.secretArn);
  give(fn, { ADMIN_KEY_SECRET: adminKey.secretArn });
};

export type Grantable = {
  settings: Settings;
  data: { queues: Queues; artifacts: Bucket; secretKey: Secret; adminKey: Secret; database: Database | null };
  sockets: SocketApi;
  artifactsUrl: string;
};

/** What each Lambda may do and knows, besides receiving from its queue. */
export const grantAll = (functions: Functions, { settings, data, sockets, artifactsUrl }: Grantable) => {
  const { socket, dispatch, broadcast, tick, migrate } = functions;
  const [personApi, workerApi] = [functions['person-api'], functions['worker-api']];
  const files = { bucket: data.artifacts, url: artifactsUrl };
  for (const fn of [personApi, workerApi, socket, dispatch, broadcast, tick]) {
    grantDatabase(fn, settings, data.database);
    grantRedis(fn, settings);
    grantSecretKey(fn, data.secretKey);
  }
  // Where there is no push they give no tickets.
  for (const fn of [personApi, workerApi]) give(fn, { SOCKET_ENDPOINT: sockets.endpoint });
  for (const fn of [personApi, workerApi, dispatch, tick]) grantSend(fn, data.queues);
  grantBury(dispatch, data.queues, 'subtasks');
  grantBury(broadcast, data.queues, 'events');
  grantOperate(personApi, data.queues);
  // The tick does by itself what no queue takes.
  for (const fn of [socket, dispatch, broadcast, tick]) grantPush(fn, sockets);
  grantFiles(personApi, files, 'GetObject');
  grantFiles(workerApi, files, 'GetObject', 'PutObject');
  grantLook(workerApi, files);
  grantFiles(tick, files, 'DeleteObject');
  grantMigrate(migrate, settings, data);
};
