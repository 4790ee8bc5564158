import * as z from 'zod';
import { Env, StandaloneEnv } from './env.ts';

type Variable = { description?: string; default?: string | number; examples?: string[] };

const entry = ([name, { description, default: fallback, examples = [] }]: [string, Variable], isRequired: boolean): string[] => [
  ...(description === undefined ? [] : ['', `# ${isRequired ? 'Required: ' : ''}${description}`]),
  `# ${name}=${fallback ?? examples[0] ?? ''}`,
];

const entries = (table: z.ZodObject): string[] => {
  const { properties = {}, required = [] } = z.toJSONSchema(table, { io: 'input' });
  return Object.entries(properties).flatMap(([name, it]) => entry([name, it as Variable], required.includes(name)));
};

/** The text of `.env.example`: every variable with its default value or, where there is none, an example. */
export const envExample = (): string =>
  [
    '# Generated from schema/env.ts by `npm run env:example`. Copy this file to .env, which `npm start` and `npm run migrate` read, and',
    '# uncomment what you set. Variables that are already set in the environment take precedence. Each line shows the default value or,',
    '# where there is none, an example.',
    '',
    '## npm start',
    ...entries(StandaloneEnv),
    '',
    '## Backend (npm start creates its own SECRET_KEY and starts its own database, queues and Redis)',
    ...entries(Env),
    '',
  ].join('\n');
