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
import { LAMBDAS } from './support/lambdas.ts';
import { type Synthesized, synth } from './support/synth.ts';
import { nameOf, type Read, readJson, readTemplate, tailOf } from './support/template.ts';

const keyOf = (route: Route) => `${route.method} ${route.path}`;
const isHttp = ({ ApiId }: { ApiId: { Ref: string } }) => nameOf(ApiId.Ref) === 'HttpApi';

const QUEUE_VARIABLES = ['SUBTASKS_QUEUE_URL', 'SUBTASKS_DEAD_QUEUE_URL', 'EVENTS_QUEUE_URL', 'EVENTS_DEAD_QUEUE_URL'];

let made: Synthesized;
let read: Read;

beforeAll(async () => {
  made = await synth();
  read = readTemplate(made);
});
afterAll(async () => {
  if (made) await rm(made.folder, { recursive: true, force: true });
});

const resources = (type: string) => read.resources(type);
const properties = (type: string) => read.properties(type);
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

  it('has the operations that its OpenAPI description names, and $default', () => {
    const { paths } = openapi('https://api.example');

    const described = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((it) => `${it.toUpperCase()} ${path}`));

    expect(new Set(served().map(([key]) => key))).toEqual(new Set([...described, '$default']));
  });

  it('may call each of its Lambdas by one permission that covers every route', () => {
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
  it('runs on Node 24 for arm64 under a role of its own, and ends before API Gateway gives up', () => {
    const lambdas = properties('AWS::Lambda::Function');

    expect(new Set(lambdas.map((it) => it.Description.split(' ')[0]))).toEqual(new Set(LAMBDAS));
    for (const it of lambdas) {
      expect(it).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' });
      expect(it.Timeout).toBeLessThan(30);
      expect(it.MemorySize).toBeGreaterThanOrEqual(512);
    }
    expect(new Set(lambdas.map((it) => it.Role['Fn::GetAtt'][0])).size).toBe(LAMBDAS.length);
  });

  it('is deployed as the one file that its source is built to', async () => {
    for (const name of LAMBDAS) {
      expect(await readdir(read.assetOf(name))).toEqual(['index.mjs']);
      build(name, join(made.folder, 'again', name));
      const [deployed, built] = [read.assetOf(name), join(made.folder, 'again', name)].map((it) => readFile(join(it, 'index.mjs'), 'utf8'));
      expect(await deployed).toBe(await built);
    }
  });

  it('has a log group of its own that forgets', () => {
    const groups = properties('AWS::Lambda::Function').map((it) => it.LoggingConfig.LogGroup.Ref as string);

    expect(new Set(groups).size).toBe(LAMBDAS.length);
    for (const it of properties('AWS::Logs::LogGroup')) expect(it.RetentionInDays).toBe(30);
  });

  it('gets variables that the backend accepts', () => {
    for (const name of LAMBDAS) expect(() => parseEnv(read.variablesOf(name))).not.toThrow();
  });

  it('gets secrets by reference, and the addresses of what it uses', () => {
    const [secretId = ''] = Object.keys(resources('AWS::SecretsManager::Secret'));

    for (const name of LAMBDAS) {
      const given = read.lambda(name).Environment.Variables;
      expect(given.DATABASE_URL).toBe('{{resolve:secretsmanager:multi-agent-on-the-web/database-url:SecretString:::}}');
      expect(given.SECRET_KEY).toEqual({ 'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: secretId }, ':SecretString:::}}']] });
      expect(given.PUBLIC_URL).toEqual({ 'Fn::GetAtt': [expect.stringContaining('HttpApi'), 'ApiEndpoint'] });
      expect([given.SOCKET_URL, given.SOCKET_ENDPOINT].map((it) => it['Fn::Join'][1][0])).toEqual(['wss://', 'https://']);
      expect(QUEUE_VARIABLES.map((variable) => nameOf(given[variable].Ref))).toEqual(['Subtasks', 'SubtasksDead', 'Events', 'EventsDead']);
    }
    expect(resources('AWS::SecretsManager::Secret')[secretId]?.DeletionPolicy).toBe('Retain');
  });
});

describe('the tick', () => {
  it('comes each minute, and one that failed is not repeated', () => {
    const [rule] = properties('AWS::Events::Rule');

    expect(rule).toMatchObject({ ScheduleExpression: 'rate(1 minute)', State: 'ENABLED' });
    expect(rule?.Targets.map((it: { Arn: never }) => lambdaOf(it.Arn))).toEqual(['tick']);
    expect(rule?.Targets[0].RetryPolicy.MaximumRetryAttempts).toBe(0);
    expect(properties('AWS::Lambda::EventInvokeConfig')).toMatchObject([{ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 }]);
  });
});

describe('npm run synth', () => {
  it('says what it made and where', () => {
    expect(made.said).toContain(`HTTP API: ${allRoutes.length} routes`);
    expect(made.said).toContain(`Lambdas: ${LAMBDAS.join(', ')}`);
    expect(made.said).toContain(join(basename(made.folder), 'MultiAgentOnTheWeb.template.json'));
  });

  it('runs the same app as the command line of CDK', async () => {
    expect((await readJson('cdk.json')).app).toBe((await readJson('package.json')).scripts.synth);
  });

  it('refuses a context that it does not understand, and says what would be right', () => {
    const given = (context: Record<string, unknown>) => () => readSettings(new App({ context }).node);

    expect(given({})).not.toThrow();
    expect(given({ public_url: 'agents.example.com' })).toThrow('public_url must be a URL, such as -c public_url=https');
    expect(given({ target: 'local', emulator: 'localhost' })).toThrow('emulator must be a URL, such as -c emulator=http');
    expect(given({ target: 'moon' })).toThrow('target must be aws or local, such as -c target=local; it is moon');
    expect(given({ redis_secret: { name: 'redis' } })).toThrow('redis_secret must be a text');
  });
});
