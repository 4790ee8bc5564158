import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { onStopSignals } from '../local/stop-signals.ts';
import { ROOT, runCommand } from './run.ts';

const SUITE_MS = 600_000;
const USAGE = `npm run smoke -- --url https://….execute-api.….amazonaws.com

Runs ten workers on this machine against a deployment: submit, work, live events, retries. The key of an administrator is read from MAW_API_KEY.
It leaves tasks, workers and a key behind, all of them named conformance or owned by that key.
`;

const refuse = (what: string): never => {
  process.stderr.write(`${what}\n\n${USAGE}`);
  process.exit(2);
};

const given = () => {
  try {
    return parseArgs({ options: { url: { type: 'string' } } }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
};

const { url } = given();
const { MAW_API_KEY: key, ...env } = process.env;
if (!url || !URL.canParse(url)) refuse('--url must be the address of a deployment, its ApiUrl');
if (!key) refuse('MAW_API_KEY must be an API key with all scopes, such as that of the administrator');

const stopping = new AbortController();
onStopSignals({ stop: () => stopping.abort(new Error('interrupted')), force: () => process.exit(130) });
try {
  const vitest = [
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    'deployed',
    'test/conformance/work',
    'test/conformance/live',
  ];
  await runCommand(process.execPath, vitest, {
    env: { ...env, CONFORMANCE_URL: url, CONFORMANCE_ADMIN_KEY: key },
    signal: stopping.signal,
    timeoutMs: SUITE_MS,
  });
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
