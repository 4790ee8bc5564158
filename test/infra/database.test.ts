import { rm } from 'node:fs/promises';
import { App } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAMBDAS } from '../../infra/lambdas.ts';
import { readSettings } from '../../infra/settings.ts';
import { type Synthesized, synth } from './support/synth.ts';
import { type Read, readTemplate } from './support/template.ts';

let made: Synthesized;
let app: Read;
beforeAll(async () => {
  made = await synth({ database_url: 'aurora' });
  app = readTemplate(made);
}, 180_000);
afterAll(async () => {
  if (made) await rm(made.folder, { recursive: true, force: true });
});

describe('a database that the deploy creates', () => {
  it('is an Aurora PostgreSQL without its own network, protected, and kept when its stack is deleted', () => {
    expect(made.data.Resources.Database).toMatchObject({
      Type: 'AWS::RDS::DBCluster',
      Properties: { Engine: 'aurora-postgresql', WithExpressConfiguration: true, DeletionProtection: true },
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    });
  });

  it.each(LAMBDAS)('admits %s by IAM, and has no password', (name) => {
    const { Role, Environment } = app.lambda(name);
    const { DATABASE_URL, NODE_EXTRA_CA_CERTS, ...others } = Environment.Variables as Record<string, unknown>;
    const statements = app
      .properties('AWS::IAM::Policy')
      .filter(({ Roles }) => Roles.some((it: { Ref: string }) => it.Ref === Role['Fn::GetAtt'][0]))
      .flatMap(({ PolicyDocument }) => PolicyDocument.Statement);

    expect(JSON.stringify(DATABASE_URL)).toMatch(/"postgres:\/\/postgres@".*"\/postgres\?auth=iam"/);
    expect(NODE_EXTRA_CA_CERTS).toBe('/var/runtime/ca-cert.pem');
    expect(others).not.toHaveProperty('DATABASE_URL_FROM');
    const [connect] = statements.filter(({ Action }) => [Action].flat().includes('rds-db:connect'));
    expect(JSON.stringify(connect.Resource)).toMatch(/:rds-db:.*:dbuser:.*DBClusterResourceId.*\/postgres"/);
  });

  it('is not available on an emulator', () => {
    const settings = () => readSettings(new App({ context: { target: 'local', database_url: 'aurora' } }).node);

    expect(settings).toThrow('database_url cannot be aurora for an emulator');
  });
});
