import type { Node } from 'constructs';
import { Env } from '../schema/env.ts';

/** What differs between deployments; each is given by `cdk deploy -c name=value`, or in the context of cdk.json. */
export type Settings = {
  /** The name of the secret that holds the whole DATABASE_URL as its text; it is made before the first deploy. */
  databaseUrlSecret: string;
  /** Where clients reach the deployment, when it is not the address that API Gateway gives. */
  publicUrl: string | null;
  /** Origins of web pages that may call, separated by commas. */
  corsOrigins: string;
};

const text = (node: Node, name: string, fallback: string): string => {
  const given: unknown = node.tryGetContext(name) ?? fallback;
  if (typeof given === 'string') return given;
  throw new Error(`The context ${name} must be a text, such as -c ${name}=…; it is ${JSON.stringify(given)}`);
};

const url = (name: string, given: string): string | null => {
  if (given === '') return null;
  if (Env.shape.PUBLIC_URL.safeParse(given).success) return given;
  throw new Error(`The context ${name} must be a URL, such as -c ${name}=https://agents.example.com; it is ${given}`);
};

export const readSettings = (node: Node): Settings => ({
  databaseUrlSecret: text(node, 'database_url_secret', 'multi-agent-on-the-web/database-url'),
  publicUrl: url('public_url', text(node, 'public_url', '')),
  corsOrigins: text(node, 'cors_origins', ''),
});
