import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAMBDAS } from '../../infra/lambdas.ts';
import type { Resource, Synthesized } from './support/synth.ts';
import { synth } from './support/synth.ts';
import { idOf, nameOf, type Read, readTemplate, tailOf } from './support/template.ts';

let made: Synthesized[] = [];
let aws: Read;
let local: Read;

beforeAll(async () => {
  made = await Promise.all([synth({ redis: 'ssm:/maw/redis' }), synth({ target: 'local', redis: 'ssm:/maw/redis' })]);
  [aws, local] = made.map(readTemplate) as [Read, Read];
}, 180_000);
afterAll(async () => {
  for (const { folder } of made) await rm(folder, { recursive: true, force: true });
});

const queue = (name: string) => {
  const found = Object.entries(aws.resources('AWS::SQS::Queue')).find(([id]) => nameOf(id) === name);
  if (found === undefined) throw new Error(`There is no queue ${name}`);
  return found[1].Properties;
};
const CONSUMERS = { Subtasks: 'dispatch', Events: 'broadcast' };

describe('the queues', () => {
  it('are two, each with a dead-letter queue that keeps its messages for 14 days', () => {
    expect(Object.keys(aws.resources('AWS::SQS::Queue')).map(nameOf).toSorted()).toEqual([
      'Events',
      'EventsDead',
      'Subtasks',
      'SubtasksDead',
    ]);
    for (const name of Object.keys(CONSUMERS)) {
      const { maxReceiveCount, deadLetterTargetArn } = queue(name).RedrivePolicy;
      expect([maxReceiveCount, nameOf(idOf(deadLetterTargetArn))]).toEqual([5, `${name}Dead`]);
      expect(queue(`${name}Dead`).MessageRetentionPeriod).toBe(14 * 86_400);
    }
  });

  it('are encrypted and refuse plain HTTP', () => {
    expect(aws.properties('AWS::SQS::Queue').map((it) => it.SqsManagedSseEnabled)).toEqual([true, true, true, true]);

    const denied = aws
      .properties('AWS::SQS::QueuePolicy')
      .filter((it) => it.PolicyDocument.Statement.some((rule: any) => rule.Effect === 'Deny' && rule.Condition.Bool['aws:SecureTransport']))
      .flatMap((it) => it.Queues.map((reference: { Ref: string }) => nameOf(reference.Ref)));
    expect(new Set(denied)).toEqual(new Set(['Events', 'EventsDead', 'Subtasks', 'SubtasksDead']));
  });

  it.each(Object.entries(CONSUMERS))(
    'of %s are consumed by %s in batches of ten, with failed messages reported individually',
    (name, consumer) => {
      const sources = aws.properties('AWS::Lambda::EventSourceMapping').filter((it) => nameOf(idOf(it.EventSourceArn)) === name);

      expect(sources).toMatchObject([{ BatchSize: 10, FunctionResponseTypes: ['ReportBatchItemFailures'] }]);
      expect(sources[0]?.ScalingConfig.MaximumConcurrency).toBeGreaterThanOrEqual(2);
      expect(aws.lambdaOf(sources[0]?.FunctionName)).toBe(consumer);
      expect(queue(name).VisibilityTimeout).toBeGreaterThanOrEqual(6 * aws.lambda(consumer).Timeout);
      expect(aws.lambda(consumer).ReservedConcurrentExecutions).toBeUndefined();
    },
  );
});

describe('the bucket of artifacts', () => {
  const bucketOf = (read: Read) => Object.entries(read.resources('AWS::S3::Bucket'))[0] ?? ['', undefined];

  it('is private and encrypted, refuses plain HTTP, and deletes unfinished uploads', () => {
    const [id, bucket] = bucketOf(aws);
    const [policy] = aws.properties('AWS::S3::BucketPolicy');

    expect(bucket?.Properties).toMatchObject({
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      LifecycleConfiguration: { Rules: [{ Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }] },
    });
    expect(Object.values(bucket?.Properties.PublicAccessBlockConfiguration)).toEqual([true, true, true, true]);
    expect([policy?.Bucket, policy?.PolicyDocument.Statement]).toMatchObject([
      { Ref: id },
      [{ Effect: 'Deny', Principal: { AWS: '*' }, Condition: { Bool: { 'aws:SecureTransport': 'false' } } }],
    ]);
  });

  it('is kept when the stack is deleted, except on an emulator', () => {
    expect([aws, local].map((read) => bucketOf(read)[1]?.DeletionPolicy)).toEqual(['Retain', 'Delete']);
  });

  it('is reached by its own host name, and on an emulator by its path', () => {
    const urls = [aws, local].map((read) => read.lambda('worker-api').Environment.Variables.ARTIFACTS_URL['Fn::Join'][1]);

    expect(urls).toEqual([
      ['https://', { 'Fn::GetAtt': [bucketOf(aws)[0], 'RegionalDomainName'] }],
      ['http://127.0.0.1:4566/', { Ref: bucketOf(local)[0] }],
    ]);
  });
});

describe('the WebSocket API', () => {
  const socketRoutes = () => aws.properties('AWS::ApiGatewayV2::Route').filter((it) => nameOf(it.ApiId.Ref) === 'SocketApi');
  const stage = () => aws.properties('AWS::ApiGatewayV2::Stage').find((it) => nameOf(it.ApiId.Ref) === 'SocketApi');

  it('routes connects, disconnects and all messages to the socket Lambda, and may call it', () => {
    const integrations = aws.resources('AWS::ApiGatewayV2::Integration');
    const permissions = aws.properties('AWS::Lambda::Permission').filter((it) => aws.lambdaOf(it.FunctionName) === 'socket');

    expect(socketRoutes().map((it) => it.RouteKey)).toEqual(['$connect', '$disconnect', '$default']);
    for (const { Target } of socketRoutes()) {
      const uri = integrations[Target['Fn::Join'][1].at(-1).Ref]?.Properties.IntegrationUri;
      expect(aws.lambdaOf(uri['Fn::Join'][1].find((part: unknown) => typeof part === 'object' && 'Fn::GetAtt' in (part as object)))).toBe(
        'socket',
      );
    }
    expect(permissions.map((it) => [it.Principal, tailOf(it.SourceArn)])).toEqual(
      ['/*$connect', '/*$disconnect', '/*$default'].map((tail) => ['apigateway.amazonaws.com', tail]),
    );
  });

  it('is throttled', () => {
    expect(stage()).toMatchObject({ StageName: 'ws', AutoDeploy: true });
    expect(stage()?.DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1_000 });
  });

  it('logs clients without the ticket in the query, with the role of its account for logs', () => {
    const fields = Array.from(stage()?.AccessLogSettings.Format.matchAll(/\$context\.([\w.]+)/g), ([, field]) => field);
    const [account] = aws.properties('AWS::ApiGateway::Account');
    const resource = Object.values(aws.resources('AWS::ApiGatewayV2::Stage')).find((it) => it.Properties.StageName === 'ws');

    expect(fields).toEqual(expect.arrayContaining(['requestId', 'eventType', 'connectionId', 'status']));
    expect(fields.filter((field) => /query|header|path|authorizer/i.test(field as string))).toEqual([]);
    expect(nameOf(idOf(account?.CloudWatchRoleArn))).toBe('SocketLogging');
    expect(resource?.DependsOn?.map(nameOf)).toContain('SocketLoggingAccount');
  });
});

/** A readable name of a resource: the name of a queue, or the end of an address. */
const shown = (resource: any): string => ('Fn::Join' in resource ? tailOf(resource) : nameOf(idOf(resource)));

const rightsOf = (name: string): string[] => {
  const role = idOf(aws.lambda(name).Role);
  return aws
    .properties('AWS::IAM::Policy')
    .filter((policy) => policy.Roles.some((it: { Ref: string }) => it.Ref === role))
    .flatMap((policy) => policy.PolicyDocument.Statement)
    .flatMap(({ Action, Resource: on }) =>
      [Action].flat().flatMap((action: string) => [on].flat().map((it: unknown) => `${action} ${shown(it)}`)),
    )
    .toSorted();
};
describe('the permissions', () => {
  const on = (queue: string, ...actions: string[]) => actions.map((action) => `sqs:${action} ${queue}`);
  const consume = (queue: string) =>
    on(queue, 'ReceiveMessage', 'ChangeMessageVisibility', 'GetQueueUrl', 'DeleteMessage', 'GetQueueAttributes');
  const send = [...on('Subtasks', 'SendMessage'), ...on('Events', 'SendMessage')];
  const operate = ['GetQueueAttributes', 'ReceiveMessage', 'ChangeMessageVisibility', 'DeleteMessage', 'StartMessageMoveTask'];
  const secrets = [
    'secretsmanager:GetSecretValue :secret:multi-agent-on-the-web/database-url-??????',
    'secretsmanager:GetSecretValue SecretKey',
    'ssm:GetParameter :parameter/maw/redis',
  ];
  const logs = ['logs:CreateLogStream', 'logs:PutLogEvents'];
  const push = ['POST', 'DELETE'].map((method) => `execute-api:ManageConnections /ws/${method}/@connections/*`);

  it.each<[string, string[]]>([
    [
      'person-api',
      [
        ...send,
        ...on('Subtasks', 'GetQueueAttributes'),
        ...on('Events', 'GetQueueAttributes'),
        ...on('SubtasksDead', ...operate),
        ...on('EventsDead', ...operate),
        's3:GetObject /*',
      ],
    ],
    ['worker-api', [...send, 's3:GetObject /*', 's3:PutObject /*', 's3:ListBucket Artifacts']],
    ['socket', push],
    ['dispatch', [...consume('Subtasks'), ...on('SubtasksDead', 'SendMessage'), ...send, ...push]],
    ['broadcast', [...consume('Events'), ...on('EventsDead', 'SendMessage'), ...push]],
    [
      'migrate',
      ['secretsmanager:GetSecretValue :secret:multi-agent-on-the-web/database-url-??????', 'secretsmanager:PutSecretValue AdminKey'],
    ],
    ['tick', [...send, ...push, 's3:DeleteObject /*']],
  ])('of %s are those that its code needs', (name, expected) => {
    const rights = rightsOf(name).filter((it) => !logs.some((action) => it.startsWith(`${action} `)));

    expect(rights).toEqual([...expected, ...(name === 'migrate' ? [] : secrets)].toSorted());
  });

  it('are granted on named resources, and none with a wildcard of actions', () => {
    const statements = aws.properties('AWS::IAM::Policy').flatMap((policy) => policy.PolicyDocument.Statement);

    expect(statements.flatMap((it) => it.Resource).filter((it) => typeof it === 'string')).toEqual([]);
    expect(statements.flatMap((it) => it.Action).filter((it) => it.includes('*'))).toEqual([]);
  });
});

describe('Redis', () => {
  it('is known to every Lambda that serves requests, messages or the clock by the location of its two fields, which it may read', () => {
    for (const name of LAMBDAS.filter((it) => it !== 'migrate')) {
      const { UPSTASH_REDIS_REST_URL_FROM: url, UPSTASH_REDIS_REST_TOKEN_FROM: token } = aws.lambda(name).Environment.Variables;
      expect([url, token]).toEqual(['ssm:/maw/redis#url', 'ssm:/maw/redis#token']);
      expect(rightsOf(name)).toContain('ssm:GetParameter :parameter/maw/redis');
    }
  });
});

describe('the target local', () => {
  const withoutHashes = (read: Read) => {
    const { Resources: all } = read.template.toJSON() as { Resources: Record<string, Resource> };
    return Object.values(all).map(({ Type }) => Type);
  };

  it('omits only that queues and the bucket refuse plain HTTP', () => {
    const left = withoutHashes(local);
    const missing = withoutHashes(aws).filter((type) => {
      const at = left.indexOf(type);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });

    expect(left).toEqual([]);
    expect(missing.toSorted()).toEqual(['AWS::S3::BucketPolicy', ...Array.from({ length: 4 }, () => 'AWS::SQS::QueuePolicy')]);
  });

  it('has the addresses of an emulator', () => {
    const { PUBLIC_URL, SOCKET_URL, SOCKET_ENDPOINT } = local.lambda('socket').Environment.Variables;
    const urls = [PUBLIC_URL, SOCKET_URL, SOCKET_ENDPOINT].map((it) =>
      it['Fn::Join'][1].map((part: unknown) => (typeof part === 'string' ? part : 'ID')).join(''),
    );

    expect(urls).toEqual([
      'http://127.0.0.1:4566/_aws/execute-api/ID/$default',
      'ws://127.0.0.1:4566/_aws/execute-api/ID/ws',
      'http://127.0.0.1:4566/_aws/execute-api/ID/ws',
    ]);
  });
});
