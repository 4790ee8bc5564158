import { join } from 'node:path';
import { createAwsJson } from './platform/aws-json.ts';
import { setUp } from './platform/set-up.ts';
import { withSources } from './platform/sources.ts';

/** Called by the deploy before any other code of the new version; an error fails the deploy. */
export const handler = async () => {
  const call = createAwsJson();
  const { DATABASE_URL = '', DATABASE_DIRECT_URL, ADMIN_KEY_SECRET = '' } = await withSources(process.env, call);
  const done = await setUp(DATABASE_DIRECT_URL ?? DATABASE_URL, join(import.meta.dirname, 'schema'), ADMIN_KEY_SECRET, call);
  process.stdout.write(`${JSON.stringify({ level: 'info', event: 'migrated', ...done })}\n`);
  return done;
};
