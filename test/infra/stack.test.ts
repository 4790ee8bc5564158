import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openapi } from '../../functions/http/openapi.ts';
import { build } from '../../infra/build.ts';
import { readSettings } from '../../infra/settings.ts';
import { parseEnv } from '../../schema/env.ts';
import { apiOf, type Route } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';
import { LAMBDAS } from '../../infra/lambdas.ts';
import { type Resource, type Synthesized, synth } from './support/synth.ts';
import { idOf, nameOf, type Read, readJson, readTemplate, tailOf } from './support/template.ts';

const keyOf = (route: Route) => `${route.method} ${route.path}`;
const isHttp = ({ ApiId }: { ApiId: { Ref: string } }) => nameOf(ApiId.Ref) === 'HttpApi';

/** All except the migration, which serves nothing. */
const SERVING = LAMBDAS.filter((name) => name !== 'migrate');

/** A changed name would be a new resource, created empty. */
const STATEFUL = [
  'AdminKeyC19094DA',
  'Artifacts82DD59A1',
  'EventsD32975C2',
  'EventsDead3997C7C0',
  'SecretKey573D36D8',
  'SubtasksDead0530EA7E',
  'SubtasksE93211FB',
];

let made: Synthesized;
let read: Read;

beforeAll(async () => {
  made = await synth();
  read = readTemplate(made);
}, 180_000);
afterAll(async () => {
  if (made) await rm(made.folder, { recursive: true, force: true });
});

const resources = (type: string) => read.resources(type);
const properties = (type: string) => read.properties(type);
const secretNamed = (name: string) => Object.keys(resources('AWS::SecretsManager::Secret')).filter((id) => nameOf(id) === name);
const lambdaOf: Read['lambdaOf'] = (reference) => read.lambdaOf(reference);

describe('the HTTP API', () => {
  const served = () => {
    const integrations = resources('AWS::ApiGatewayV2::Integration');
    return (properties('AWS::ApiGatewayV2::Route') as { ApiId: never; RouteKey: string; Target: any }[])
      .filter(isHttp)
      .map(({ RouteKey, Target }) => [RouteKey, lambdaOf(integrations[Target['Fn::Join'][1].at(-1).Ref]?.Properties.IntegrationUri)]);
  };

  it('sends each operation of the contracts to its Lambda and everything else to person-api', () => {
    const expected = [...allRoutes.map((route) => `${keyOf(route)} -> ${apiOf(route)}`), '$default -> person-api'];

    expect(new Set(served().map(([key, name]) => `${key} -> ${name}`))).toEqual(new Set(expected));
    expect(served()).toHaveLength(expected.length);
  });

  it('has the operations of its OpenAPI description, and $default', () => {
    const { paths } = openapi('https://api.example');

    const described = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((it) => `${it.toUpperCase()} ${path}`));

    expect(new Set(served().map(([key]) => key))).toEqual(new Set([...described, '$default']));
  });

  it('may call each of its Lambdas with one permission that covers every route', () => {
    const isIts = (it: Record<string, any>) => it.Principal === 'apigateway.amazonaws.com' && lambdaOf(it.FunctionName) !== 'socket';
    const permissions = properties('AWS::Lambda::Permission').filter(isIts);
    const addresses = ['$default/$default', ...allRoutes.map((route) => `$default/${route.method}${route.path}`)];

    expect(permissions.map((it) => lambdaOf(it.FunctionName))).toEqual(['person-api', 'worker-api']);
    for (const { SourceArn } of permissions) {
      const pattern = new RegExp(`^${tailOf(SourceArn).replaceAll('*', '.*')}$`);
      expect(addresses.filter((address) => !pattern.test(`/${address}`))).toEqual([]);
    }
  });

  it('is throttled, and logs requests without their queries and headers', () => {
    const stage = properties('AWS::ApiGatewayV2::Stage').find((it) => it.StageName === '$default');

    expect(stage).toMatchObject({ AutoDeploy: true });
    expect(stage?.DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1_000 });
    const fields = Array.from(stage?.AccessLogSettings.Format.matchAll(/\$context\.([\w.]+)/g), ([, field]) => field);
    expect(fields).toContain('requestId');
    expect(fields.filter((field) => /query|header|authorizer/i.test(field))).toEqual([]);
  });
});

describe('each Lambda', () => {
  it('runs on Node 24 for arm64 with its own role, and ends before API Gateway times out', () => {
    const lambdas = read.lambdas();

    expect(new Set(lambdas.map((it) => it.Description.split(' ')[0]))).toEqual(new Set(LAMBDAS));
    for (const it of lambdas) {
      expect(it).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' });
      if (!it.Description.startsWith('migrate ')) expect(it.Timeout).toBeLessThan(30);
      expect(it.MemorySize).toBeGreaterThanOrEqual(512);
    }
    expect(new Set(lambdas.map((it) => it.Role['Fn::GetAtt'][0])).size).toBe(LAMBDAS.length);
  });

  it('is deployed as one file; the migration also has the scripts', async () => {
    for (const name of LAMBDAS) {
      expect((await readdir(read.assetOf(name))).filter((file) => file !== 'schema')).toEqual(['index.mjs']);
      await build(name, join(made.folder, 'again', name));
      const [deployed, built] = [read.assetOf(name), join(made.folder, 'again', name)].map((it) => readFile(join(it, 'index.mjs'), 'utf8'));
      expect(await deployed).toBe(await built);
    }
    expect((await readdir(join(read.assetOf('migrate'), 'schema'))).toSorted()).toEqual(['migrations', 'transitions']);
  });

  it('has its own log group with a limited retention', () => {
    const functions = properties('AWS::Lambda::Function');
    const groups = functions.map((it) => it.LoggingConfig.LogGroup.Ref as string);

    expect(new Set(groups).size).toBe(functions.length);
    for (const it of properties('AWS::Logs::LogGroup')) expect(it.RetentionInDays).toBe(30);
  });

  it('gets variables that the backend accepts', () => {
    for (const name of SERVING) expect(() => parseEnv(read.variablesOf(name))).not.toThrow();
  });

  it('is given the locations of its secrets, and the addresses of the stack', () => {
    const [secretKey] = secretNamed('SecretKey');

    for (const name of SERVING) {
      const given = read.lambda(name).Environment.Variables;
      expect(given.DATABASE_URL_FROM).toBe('secretsmanager:multi-agent-on-the-web/database-url');
      expect(given.SECRET_KEY_FROM).toEqual({ 'Fn::Join': ['', ['secretsmanager:', { Ref: secretKey }]] });
      expect(given.PUBLIC_URL).toEqual({ 'Fn::GetAtt': [expect.stringContaining('HttpApi'), 'ApiEndpoint'] });
    }
    expect(read.lambda('migrate').Environment.Variables).toEqual({
      DATABASE_URL_FROM: 'secretsmanager:multi-agent-on-the-web/database-url',
      ADMIN_KEY_SECRET: { Ref: secretNamed('AdminKey')[0] },
    });
  });
});

describe('the templates', () => {
  it('contain no secret value, not even a reference that the deploy would resolve', () => {
    for (const template of [made.data, made.app]) expect(JSON.stringify(template)).not.toContain('{{resolve:');
    for (const name of ['DATABASE_URL', 'SECRET_KEY', 'UPSTASH_REDIS_REST_TOKEN'])
      expect(JSON.stringify(made.app)).not.toContain(`"${name}":`);
  });

  it('keep the names of stateful resources, and keep the resources when the stack is deleted', () => {
    const stateful = ['AWS::SQS::Queue', 'AWS::S3::Bucket', 'AWS::SecretsManager::Secret'];
    const kept = Object.entries(made.data.Resources as Record<string, Resource>).filter(([, { Type }]) => stateful.includes(Type));

    expect(kept.map(([id]) => id).toSorted()).toEqual(STATEFUL);
    for (const [id, { Type, DeletionPolicy }] of kept)
      expect([id, Type === 'AWS::SQS::Queue' || DeletionPolicy === 'Retain']).toEqual([id, true]);
    expect(Object.values(made.app.Resources as Record<string, Resource>).filter(({ Type }) => stateful.includes(Type))).toEqual([]);
  });

  it('call the migration before any other Lambda is updated', () => {
    const [[migration, { Properties: call }]] = Object.entries(resources('Custom::Trigger')) as [[string, Resource]];
    const others = Object.values(resources('AWS::Lambda::Function')).filter((it) =>
      SERVING.some((name) => it.Properties.Description?.startsWith(`${name} `)),
    );

    expect(lambdaOf(resources('AWS::Lambda::Version')[call.HandlerArn.Ref]?.Properties.FunctionName)).toBe('migrate');
    expect(others).toHaveLength(SERVING.length);
    for (const { DependsOn } of others) expect(DependsOn).toContain(migration);
  });

  it('tag every resource that can have a tag', () => {
    for (const { Properties: it } of Object.values(resources('AWS::SQS::Queue')))
      expect(it.Tags).toContainEqual({ Key: 'app', Value: 'multi-agent-on-the-web' });
  });
});

describe('the alarms', () => {
  const alarms = () => properties('AWS::CloudWatch::Alarm');
  const watched = (namespace: string, metric: string, dimension: string) =>
    alarms()
      .filter((it) => it.Namespace === namespace && it.MetricName === metric)
      .map((it) => nameOf(idOf(it.Dimensions.find(({ Name }: { Name: string }) => Name === dimension).Value)));

  it('watch every queue, every dead-letter queue, every Lambda and the clock', () => {
    const functions = [...read.lambdas()].map((it) => it.Description.split(' ')[0]);

    expect(watched('AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName').toSorted()).toEqual(['EventsDead', 'SubtasksDead']);
    expect(watched('AWS/SQS', 'ApproximateAgeOfOldestMessage', 'QueueName').toSorted()).toEqual(['Events', 'Subtasks']);
    for (const metric of ['Errors', 'Throttles']) expect(watched('AWS/Lambda', metric, 'FunctionName')).toHaveLength(functions.length);
    expect(watched('AWS/Lambda', 'Invocations', 'FunctionName')).toEqual(['Tick']);
  });

  it('fire at three errors of a Lambda in five minutes, and at one of migrate, which runs once per deploy', () => {
    const errors = alarms().filter((it) => it.Namespace === 'AWS/Lambda' && it.MetricName === 'Errors');
    const thresholds = errors.map((it) => [nameOf(idOf(it.Dimensions[0].Value)), it.Threshold]);

    expect(thresholds.filter(([name]) => name === 'Migrate')).toEqual([['Migrate', 1]]);
    for (const [, threshold] of thresholds.filter(([name]) => name !== 'Migrate')) expect(threshold).toBe(3);
  });

  it('each name a heading of the runbook, which has no other headings', async () => {
    const text = await readFile(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
    const headings = Array.from(text.matchAll(/^## (.+)$/gm), ([, heading = '']) => heading.toLowerCase().replaceAll(' ', '-'));

    const named = alarms().map((it) => /docs\/runbook\.md#([\w-]+)$/.exec(it.AlarmDescription)?.[1]);

    expect(new Set(named)).toEqual(new Set(headings));
  });
});

describe('the tick', () => {
  it('runs each minute, and a failed run is not retried', () => {
    const [rule] = properties('AWS::Events::Rule');

    expect(rule).toMatchObject({ ScheduleExpression: 'rate(1 minute)', State: 'ENABLED' });
    expect(rule?.Targets.map((it: { Arn: never }) => lambdaOf(it.Arn))).toEqual(['tick']);
    expect(rule?.Targets[0].RetryPolicy.MaximumRetryAttempts).toBe(0);
    expect(properties('AWS::Lambda::EventInvokeConfig')).toMatchObject([{ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 }]);
  });
});

describe('npm run synth', () => {
  it('prints what it created and where', () => {
    expect(made.output).toContain(`HTTP API: ${allRoutes.length} routes`);
    expect(made.output).toContain(`Lambdas: ${LAMBDAS.join(', ')}`);
    expect(made.output).toContain(join(basename(made.folder), 'MultiAgentOnTheWeb.template.json'));
  });

  it('runs the same app as the command line of CDK', async () => {
    expect((await readJson('cdk.json')).app).toBe((await readJson('package.json')).scripts.synth);
  });

  it('refuses an invalid context, and describes a valid one', () => {
    const given = (context: Record<string, unknown>) => () => readSettings(new App({ context }).node);

    expect(given({})).not.toThrow();
    expect(given({ public_url: 'agents.example.com' })).toThrow('public_url must be a URL, such as -c public_url=https');
    expect(given({ target: 'local', emulator: 'localhost' })).toThrow('emulator must be a URL, such as -c emulator=http');
    expect(given({ target: 'moon' })).toThrow('target must be aws or local, such as -c target=local; it is moon');
    expect(given({ redis: { name: 'redis' } })).toThrow('redis must be a string');
    expect(given({ redis: 'my-redis' })).toThrow(
      'redis must be the location of a value, such as -c redis=secretsmanager:NAME or ssm:/NAME; it is my-redis',
    );
  });
});
