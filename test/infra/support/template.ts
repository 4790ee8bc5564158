import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import type { Resource, Synthesized } from './synth.ts';

/** The name that the stack gave a resource, from its id in the template. */
export const nameOf = (id: string) => id.replace(/[0-9A-F]{8}$/, '');
/** The end of an address or name that is assembled at the deploy. */
export const tailOf = (joined: { 'Fn::Join': [string, unknown[]] }): string => String(joined['Fn::Join'][1].at(-1));

type Reference = { 'Fn::GetAtt': [string, string] } | { Ref: string };
export const idOf = (reference: Reference) => ('Ref' in reference ? reference.Ref : reference['Fn::GetAtt'][0]);

type Json = Record<string, any>;

/** Both stacks as one: an import becomes the exported resource itself. */
const joinStacks = ({ data, app }: Synthesized): Json => {
  const exports = Object.values(data.Outputs as Json).filter(({ Export }) => Export);
  const exported = new Map(exports.map(({ Export, Value }) => [Export.Name, Value]));
  const resolve = (_: string, value: Json) => (value?.['Fn::ImportValue'] ? exported.get(value['Fn::ImportValue']) : value);
  return { ...app, Resources: { ...data.Resources, ...JSON.parse(JSON.stringify(app.Resources), resolve) } };
};

/** What the tests read from the templates. */
export const readTemplate = (made: Synthesized) => {
  const { folder } = made;
  const template = Template.fromJSON(joinStacks(made), { skipCyclicalDependenciesCheck: true });
  const resources = (type: string) => template.findResources(type) as Record<string, Resource>;
  const properties = (type: string) => Object.values(resources(type)).map((resource) => resource.Properties);
  const lambda = (name: string) => {
    const found = properties('AWS::Lambda::Function').find((it) => it.Description?.startsWith(`${name} `));
    if (found === undefined) throw new Error(`There is no Lambda ${name}`);
    return found;
  };
  return {
    template,
    resources,
    properties,
    lambda,
    /** The Lambdas of this project; CDK adds one, to call the migration. */
    lambdas: () => properties('AWS::Lambda::Function').filter((it) => it.Description),
    /** The Lambda that a resource refers to, by the name of its file. */
    lambdaOf: (reference: Reference): string => resources('AWS::Lambda::Function')[idOf(reference)]?.Properties.Description?.split(' ')[0],
    /** The folder of code that is deployed for a Lambda. */
    assetOf: (name: string) => join(folder, `asset.${lambda(name).Code.S3Key.replace(/\.zip$/, '')}`),
    /** The variables of a Lambda as a deploy could set them. */
    variablesOf: (name: string): Record<string, string> => {
      const given: [string, unknown][] = Object.entries(lambda(name).Environment.Variables);
      const addresses = given.map(([key, value]) => [key, typeof value === 'string' ? value : 'https://deployed.example']);
      const DATABASE_URL = 'postgres://deployed.example/maw';
      return { ...Object.fromEntries(addresses), DATABASE_URL, SECRET_KEY: 's'.repeat(64), SOCKET_URL: 'wss://deployed.example/ws' };
    },
  };
};
export type Read = ReturnType<typeof readTemplate>;

export const readJson = async (...path: string[]) => JSON.parse(await readFile(join(import.meta.dirname, '../../..', ...path), 'utf8'));
