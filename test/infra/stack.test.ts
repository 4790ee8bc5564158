import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openapi } from '../../functions/http/openapi.ts';
import { parseEnv } from '../../schema/env.ts';
import { apiOf, type Route } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';
import { createDatabase } from '../support/backend.ts';
import { request } from './support/event.ts';
import { type Resource, synth } from './support/synth.ts';

const run = promisify(execFile);
const LAMBDAS = ['person-api', 'worker-api', 'tick'];
const NO_DATABASE = 'postgres://nobody@127.0.0.1:1/none';
const MOST_BYTES = 1_500_000;
const keyOf = (route: Route) => `${route.method} ${route.path}`;

let folder = '';
let said: string;
let template: Template;

beforeAll(async () => {
  const made = await synth();
  ({ folder, said } = made);
  template = Template.fromJSON(made.template);
});
afterAll(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

const resources = (type: string) => template.findResources(type) as Record<string, Resource>;
const properties = (type: string) => Object.values(resources(type)).map((resource) => resource.Properties);

/** The Lambda whose address a resource names, by the name of its file. */
const lambdaOf = (reference: { 'Fn::GetAtt': [string, string] }): string => {
  const [id] = reference['Fn::GetAtt'];
  return resources('AWS::Lambda::Function')[id]?.Properties.Description.split(' ')[0];
};
const lambda = (name: string) => {
  const found = properties('AWS::Lambda::Function').find((it) => it.Description.startsWith(`${name} `));
  if (found === undefined) throw new Error(`There is no Lambda ${name}`);
  return found;
};
const bundleOf = (name: string) => join(folder, `asset.${lambda(name).Code.S3Key.replace(/\.zip$/, '')}`, 'index.mjs');

/** The variables of a Lambda as they are after a deploy. */
const variablesOf = (name: string, databaseUrl: string): Record<string, string> => {
  const deployed = { DATABASE_URL: databaseUrl, SECRET_KEY: 's'.repeat(64), PUBLIC_URL: 'https://api.example' };
  return { ...lambda(name).Environment.Variables, ...deployed };
};

/** Calls the handler of a bundle in a plain process that has the Lambda's variables and nothing else. */
const invoke = async (name: string, databaseUrl: string, event: object = {}) => {
  const runtime = join(import.meta.dirname, 'support/runtime.ts');
  const args = [runtime, bundleOf(name), JSON.stringify(event)];
  const { stdout } = await run(process.execPath, args, { cwd: folder, env: variablesOf(name, databaseUrl), timeout: 15_000 });
  return JSON.parse(stdout);
};

describe('the HTTP API', () => {
  const served = () => {
    const integrations = resources('AWS::ApiGatewayV2::Integration');
    return properties('AWS::ApiGatewayV2::Route').map(({ RouteKey, Target }) => {
      const integration = integrations[Target['Fn::Join'][1].at(-1).Ref];
      return [RouteKey, lambdaOf(integration?.Properties.IntegrationUri)];
    });
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
    const permissions = properties('AWS::Lambda::Permission').filter((it) => it.Principal === 'apigateway.amazonaws.com');
    const addresses = ['$default/$default', ...allRoutes.map((route) => `$default/${route.method}${route.path}`)];

    expect(permissions.map((it) => lambdaOf(it.FunctionName))).toEqual(['person-api', 'worker-api']);
    for (const { SourceArn } of permissions) {
      const pattern = new RegExp(`^${String(SourceArn['Fn::Join'][1].at(-1)).replaceAll('*', '.*')}$`);
      expect(addresses.filter((address) => !pattern.test(`/${address}`))).toEqual([]);
    }
  });

  it('is throttled, and logs requests without their queries and headers', () => {
    const [stage = {}] = properties('AWS::ApiGatewayV2::Stage');

    expect(stage).toMatchObject({ StageName: '$default', AutoDeploy: true });
    expect(stage.DefaultRouteSettings).toEqual({ ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1_000 });
    const fields = Array.from(stage.AccessLogSettings.Format.matchAll(/\$context\.([\w.]+)/g), ([, field]) => field);
    expect(fields).toContain('requestId');
    expect(fields.filter((field) => /query|header|authorizer/i.test(field))).toEqual([]);
  });
});

describe('each Lambda', () => {
  it('runs on Node 24 for arm64 under a role of its own, and ends before API Gateway gives up', () => {
    const made = properties('AWS::Lambda::Function');

    expect(made).toHaveLength(LAMBDAS.length);
    for (const it of made) {
      expect(it).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'], Handler: 'index.handler' });
      expect(it.Timeout).toBeLessThan(30);
      expect(it.MemorySize).toBeGreaterThanOrEqual(512);
    }
    expect(new Set(made.map((it) => it.Role['Fn::GetAtt'][0])).size).toBe(LAMBDAS.length);
  });

  it('has a log group of its own that forgets', () => {
    const groups = properties('AWS::Lambda::Function').map((it) => it.LoggingConfig.LogGroup.Ref as string);

    expect(new Set(groups).size).toBe(LAMBDAS.length);
    for (const it of properties('AWS::Logs::LogGroup')) expect(it.RetentionInDays).toBe(30);
  });

  it('gets variables that the backend accepts', () => {
    for (const name of LAMBDAS) expect(() => parseEnv(variablesOf(name, NO_DATABASE))).not.toThrow();
  });

  it('gets secrets by reference, and the address of the API', () => {
    const [secretId = ''] = Object.keys(resources('AWS::SecretsManager::Secret'));

    for (const name of LAMBDAS) {
      const given = lambda(name).Environment.Variables;
      expect(given.DATABASE_URL).toBe('{{resolve:secretsmanager:multi-agent-on-the-web/database-url:SecretString:::}}');
      expect(given.SECRET_KEY).toEqual({ 'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: secretId }, ':SecretString:::}}']] });
      expect(given.PUBLIC_URL).toEqual({ 'Fn::GetAtt': [expect.stringContaining('HttpApi'), 'ApiEndpoint'] });
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

describe('a bundle', () => {
  const databaseUrl = async () => {
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    return database.url;
  };

  it('of person-api answers health by its database', async () => {
    const answer = await invoke('person-api', await databaseUrl(), request('/api/v1/health'));

    expect(answer.statusCode).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ status: 'healthy', services: { database: 'connected' } });
  });

  it('of person-api answers without a database, and says so', async () => {
    const [root, health] = await Promise.all([
      invoke('person-api', NO_DATABASE, request('/')),
      invoke('person-api', NO_DATABASE, request('/api/v1/health')),
    ]);

    expect(root.statusCode).toBe(200);
    expect([health.statusCode, JSON.parse(health.body).services.database]).toEqual([503, 'disconnected']);
  });

  it('of person-api answers a route that is nowhere with a problem', async () => {
    const answer = await invoke('person-api', NO_DATABASE, { ...request('/nowhere'), routeKey: '$default' });

    expect([answer.statusCode, answer.headers['content-type']]).toEqual([404, 'application/problem+json']);
  });

  it('of person-api takes null for a part of the event that is not there, as emulators of API Gateway send it', async () => {
    const nothing = { queryStringParameters: null, pathParameters: null, body: null };

    expect((await invoke('person-api', NO_DATABASE, { ...request('/'), ...nothing })).statusCode).toBe(200);
  });

  it('of worker-api asks for a credential', async () => {
    const worker = '00000000-0000-7000-8000-000000000000';

    const answer = await invoke('worker-api', NO_DATABASE, request(`/api/v1/workers/${worker}/claim`, 'POST'));

    expect([answer.statusCode, JSON.parse(answer.body).code]).toEqual([401, 'unauthenticated']);
  });

  it('of the tick sweeps', async () => {
    expect(await invoke('tick', await databaseUrl())).toMatchObject({ reaped: 0, expired: 0 });
  });

  it('is one file of bounded size, made of the backend and its packages alone', async () => {
    for (const name of LAMBDAS) {
      const text = await readFile(bundleOf(name), 'utf8');
      const bytes = Buffer.byteLength(text);
      const roots = [...text.matchAll(/^\/\/ ([\w@.-]+)\/\S+$/gm)].map(([, root]) => root);

      console.log(`bundle of ${name}: ${Math.round(bytes / 1_000)} kB`);
      expect(await readdir(join(bundleOf(name), '..'))).toEqual(['index.mjs']);
      expect(bytes).toBeLessThan(MOST_BYTES);
      expect(new Set(roots)).toEqual(new Set(['functions', 'node_modules', 'schema']));
      expect(text.includes(`// functions/${name}.lambda.ts`)).toBe(true);
    }
  });
});

describe('npm run synth', () => {
  it('says what it made and where', () => {
    expect(said).toContain(`HTTP API: ${allRoutes.length} routes`);
    expect(said).toContain(`Lambdas: ${LAMBDAS.join(', ')}`);
    expect(said).toContain(join(basename(folder), 'MultiAgentOnTheWeb.template.json'));
  });

  it('runs the same app as the command line of CDK', async () => {
    const read = async (file: string) => JSON.parse(await readFile(join(import.meta.dirname, '../..', file), 'utf8'));

    expect((await read('cdk.json')).app).toBe((await read('package.json')).scripts.synth);
  });

  it('refuses a context that is no URL, and says what would be right', async () => {
    await expect(synth({ public_url: 'agents.example.com' })).rejects.toThrow(
      'The context public_url must be a URL, such as -c public_url=https',
    );
  });
});
