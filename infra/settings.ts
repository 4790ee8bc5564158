import type { Node } from 'constructs';
import { Env } from '../schema/env.ts';
import { LIMITS } from '../schema/json.ts';
import { parseSource, type Source } from './sources.ts';

/**
 * EC2 machines that run workers: the secret with the pool's key (scope workers:write), what the workers offer, and the maximum number
 * of machines.
 */
export type FleetSettings = { keySecret: string; tools: string; execAllow: string; slots: number; most: number };

/** The options of a deployment; each is set with `cdk deploy -c name=value` or in the context of cdk.json. */
export type Settings = {
  /** Where the complete DATABASE_URL is stored, which must exist before the first deploy. Null: the deploy creates a database. */
  databaseUrl: Source | null;
  /** The same for migrations, bypassing a pooler. Null: they use DATABASE_URL. */
  databaseDirectUrl: Source | null;
  /** Where the `url` and `token` of an Upstash Redis are stored as JSON. Null: no Redis, and therefore no push. */
  redis: Source | null;
  /** The URL of the deployment for clients, if it differs from the address that API Gateway assigns. */
  publicUrl: string | null;
  /** Origins of web pages that may call the API, separated by commas. */
  corsOrigins: string;
  /** Who receives the alarms. Null: they appear only in the console. */
  alarmEmail: string | null;
  /** Null: no fleet; workers run on your own machines. */
  fleet: FleetSettings | null;
  /** The endpoint of an AWS emulator; features that it lacks are omitted. Null: AWS itself. */
  emulator: string | null;
};

/** An empty option counts as unset, so that a workflow can pass on all of its variables. */
const option = (node: Node, name: string): unknown => {
  const given: unknown = node.tryGetContext(name);
  return given === '' ? undefined : given;
};

const text = (node: Node, name: string, fallback: string): string => {
  const given = option(node, name) ?? fallback;
  if (typeof given === 'string') return given;
  throw new Error(`The context ${name} must be a string, such as -c ${name}=…; it is ${JSON.stringify(given)}`);
};

const url = (name: string, given: string): string | null => {
  if (given === '') return null;
  if (Env.shape.PUBLIC_URL.safeParse(given).success) return given;
  throw new Error(`The context ${name} must be a URL, such as -c ${name}=https://agents.example.com; it is ${given}`);
};

const source = (node: Node, name: string): Source | null => {
  const given = text(node, name, '');
  const parsed = parseSource(given);
  if (given === '' || parsed !== null) return parsed;
  throw new Error(
    `The context ${name} must be the location of a value, such as -c ${name}=secretsmanager:NAME or ssm:/NAME; it is ${given}`,
  );
};

const WORDS = /^[\w.,+/-]*$/;

const words = (node: Node, name: string, fallback: string): string => {
  const given = text(node, name, fallback);
  if (WORDS.test(given)) return given;
  throw new Error(`The context ${name} must be names separated by commas, such as -c ${name}=git,node; it is ${given}`);
};

const count = (node: Node, name: string, fallback: number, most: number): number => {
  const given = Number(option(node, name) ?? fallback);
  if (Number.isInteger(given) && given >= 1 && given <= most) return given;
  throw new Error(`The context ${name} must be an integer from 1 to ${most}, such as -c ${name}=${fallback}`);
};

const fleet = (node: Node): FleetSettings | null => {
  const keySecret = words(node, 'fleet_key', '');
  if (keySecret === '') return null;
  return {
    keySecret,
    tools: words(node, 'fleet_tools', 'exec'),
    execAllow: words(node, 'fleet_exec_allow', ''),
    slots: count(node, 'fleet_slots', 4, LIMITS.slots),
    most: count(node, 'fleet_most', 10, 500),
  };
};

/** `target=local` is an emulator at the default address of MiniStack and LocalStack, or at `emulator`. */
const emulator = (node: Node): string | null => {
  const target = text(node, 'target', 'aws');
  if (target === 'aws') return null;
  if (target === 'local') return url('emulator', text(node, 'emulator', 'http://127.0.0.1:4566'))?.replace(/\/+$/, '') ?? null;
  throw new Error(`The context target must be aws or local, such as -c target=local; it is ${target}`);
};

const databaseUrl = (node: Node): Source | null => {
  if (text(node, 'database_url', '') !== 'aurora')
    return source(node, 'database_url') ?? { service: 'secretsmanager', name: 'multi-agent-on-the-web/database-url' };
  if (emulator(node) === null) return null;
  throw new Error('The context database_url cannot be aurora for an emulator, which has no Aurora; give the location of a URL');
};

export const readSettings = (node: Node): Settings => ({
  databaseUrl: databaseUrl(node),
  databaseDirectUrl: source(node, 'database_direct_url'),
  redis: source(node, 'redis'),
  publicUrl: url('public_url', text(node, 'public_url', '')),
  corsOrigins: text(node, 'cors_origins', ''),
  alarmEmail: text(node, 'alarm_email', '') || null,
  fleet: fleet(node),
  emulator: emulator(node),
});
