import * as z from 'zod';
import { Env, HomeEnv } from './env.ts';

type Variable = { description?: string; default?: string | number; examples?: string[] };

const entry = ([name, { description, default: fallback, examples = [] }]: [string, Variable], isRequired: boolean): string[] => [
  ...(description === undefined ? [] : ['', `# ${description}${isRequired ? ' (required)' : ''}`]),
  `# ${name}=${fallback ?? examples[0] ?? ''}`,
];

const entries = (table: z.ZodObject): string[] => {
  const { properties = {}, required = [] } = z.toJSONSchema(table, { io: 'input' });
  return Object.entries(properties).flatMap(([name, it]) => entry([name, it as Variable], required.includes(name)));
};

/** The text of `.env.example`: every variable with its default or, where it has none, an example. */
export const envExample = (): string =>
  [
    '# Made from schema/env.ts by `npm run env:example`. Copy it to .env, which `npm start` and `npm run migrate` read, and take the',
    '# hash from what you set; what the environment has already wins. Each stands with its default or an example.',
    '',
    '## npm start',
    ...entries(HomeEnv),
    '',
    '## The backend (npm start makes a key, and has a database, queues and a Redis of its own)',
    ...entries(Env),
    '',
  ].join('\n');
