import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Functions } from './functions.ts';
import type { Queues } from './queues.ts';
import type { SocketApi } from './socket-api.ts';

const allow = (fn: LambdaFunction, queues: readonly Queue[], actions: readonly string[]) =>
  fn.addToRolePolicy(
    new PolicyStatement({ actions: actions.map((action) => `sqs:${action}`), resources: queues.map((queue) => queue.queueArn) }),
  );

/** Writes to open sockets, and closes them. */
const allowPush = (fn: LambdaFunction, { api, stage }: SocketApi) => {
  const resources = ['POST', 'DELETE'].map((method) =>
    Stack.of(api).formatArn({
      service: 'execute-api',
      resource: api.apiId,
      resourceName: `${stage.stageName}/${method}/@connections/*`,
    }),
  );
  fn.addToRolePolicy(new PolicyStatement({ actions: ['execute-api:ManageConnections'], resources }));
};

/** What each Lambda may do, besides receiving from its queue. */
export const grantRights = (functions: Functions, { subtasks, events }: Queues, sockets: SocketApi) => {
  const { socket, dispatch, broadcast, tick } = functions;
  // Whoever commits sends what it left in the outbox; the tick sends what was left behind, and dispatch ends what is overdue.
  for (const fn of [functions['person-api'], functions['worker-api'], dispatch, tick])
    allow(fn, [subtasks.queue, events.queue], ['SendMessage']);
  // The tick does by itself what no queue takes.
  for (const fn of [socket, dispatch, broadcast, tick]) allowPush(fn, sockets);
  // A message that fails for good is put aside with its reason.
  allow(dispatch, [subtasks.dead], ['SendMessage']);
  allow(broadcast, [events.dead], ['SendMessage']);
  // An operator lists dead letters and brings them back.
  allow(functions['person-api'], [subtasks.queue, events.queue], ['GetQueueAttributes']);
  allow(
    functions['person-api'],
    [subtasks.dead, events.dead],
    ['GetQueueAttributes', 'ReceiveMessage', 'ChangeMessageVisibility', 'DeleteMessage', 'StartMessageMoveTask'],
  );
};

const allowFiles = (fn: LambdaFunction, bucket: Bucket, actions: readonly string[]) =>
  fn.addToRolePolicy(new PolicyStatement({ actions: actions.map((action) => `s3:${action}`), resources: [bucket.arnForObjects('*')] }));

/** An address that is signed may do what its signer may. */
export const grantArtifacts = (functions: Functions, bucket: Bucket) => {
  allowFiles(functions['person-api'], bucket, ['GetObject']);
  allowFiles(functions['worker-api'], bucket, ['GetObject', 'PutObject']);
  allowFiles(functions.tick, bucket, ['DeleteObject']);
  // Without it S3 does not say that a file is not there.
  functions['worker-api'].addToRolePolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources: [bucket.bucketArn] }));
};
