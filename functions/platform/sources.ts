import * as z from 'zod';
import { type AwsJson, createAwsJson } from './aws-json.ts';

const SUFFIX = '_FROM';
const FORM = /^(secretsmanager|ssm):([^#]+)(?:#(\w+))?$/;

const Secret = z.object({ SecretString: z.string() });
const Parameter = z.object({ Parameter: z.object({ Value: z.string() }) });

type Source = { name: string; service: 'secretsmanager' | 'ssm'; id: string; field: string | undefined };

const parse = (variable: string, text: string): Source => {
  const [, service, id = '', field] = FORM.exec(text) ?? [];
  if (service === undefined)
    throw new Error(
      `${variable} is ${text}; it must name a secret or parameter, such as secretsmanager:name or ssm:/name, with #field for JSON`,
    );
  return { name: variable.slice(0, -SUFFIX.length), service: service as Source['service'], id, field };
};

const fetchText = async (call: AwsJson, { service, id }: Source): Promise<string> => {
  if (service === 'ssm')
    return Parameter.parse(await call(service, 'AmazonSSM.GetParameter', { Name: id, WithDecryption: true })).Parameter.Value;
  return Secret.parse(await call(service, 'secretsmanager.GetSecretValue', { SecretId: id })).SecretString;
};

const pick = ({ name, id, field }: Source, text: string): string => {
  if (field === undefined) return text.trim();
  const value = (JSON.parse(text) as Record<string, unknown>)[field];
  if (typeof value !== 'string') throw new Error(`${name}: ${id} has no text in its field ${field}`);
  return value;
};

type Variables = Record<string, string | undefined>;

/**
 * Resolves the `X_FROM` variables of the environment: `X_FROM=secretsmanager:name#field` becomes `X`. So no template and no function
 * configuration contains a secret, and each start reads the current values.
 */
export const withSources = async (variables: Variables, call: AwsJson = createAwsJson()): Promise<Variables> => {
  const named = Object.entries(variables).filter((it): it is [string, string] => it[0].endsWith(SUFFIX) && Boolean(it[1]));
  const asked = new Map<string, Promise<string>>();
  const values = named.map(async ([variable, text]) => {
    const source = parse(variable, text);
    const key = `${source.service}:${source.id}`;
    const value = asked.get(key) ?? fetchText(call, source);
    asked.set(key, value);
    return [source.name, pick(source, await value)] as const;
  });
  return { ...variables, ...Object.fromEntries(await Promise.all(values)) };
};
