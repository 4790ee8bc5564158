import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { networkInterfaces } from 'node:os';
import { startHome } from './home.ts';

const HELP = `npm start -- [options]
  --data FOLDER       keeps everything here          (MAW_DATA, default .maw in the project)
  --port NUMBER       0 picks a free one             (MAW_PORT, default 8080)
  --listen ADDRESS    0.0.0.0 opens it to other machines (default 127.0.0.1)
  --public-url URL    how other machines reach it    (MAW_PUBLIC_URL)
Variables of the backend (LEASE_MS, CLAIM_POLL_MS, CORS_ORIGINS, LOG_LEVEL …) are those of schema/env.ts.`;

const fail = (message: string): never => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

const readOptions = () => {
  const known = {
    data: { type: 'string' },
    port: { type: 'string' },
    listen: { type: 'string' },
    'public-url': { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ options: known, allowPositionals: false }).values;
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${HELP}`);
  }
};

const started = performance.now();
const say = (line: string) => process.stdout.write(`[${((performance.now() - started) / 1_000).toFixed(1)} s] ${line}\n`);

const options = readOptions();
if (options.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
const folder = options.data ?? process.env.MAW_DATA ?? join(import.meta.dirname, '../.maw');
const port = Number(options.port ?? process.env.MAW_PORT ?? 8080);
if (!Number.isInteger(port) || port < 0 || port > 65_535) fail(`--port must be a number from 0 to 65535, not ${options.port}`);
const host = options.listen ?? '127.0.0.1';
const publicUrl = options['public-url'] ?? process.env.MAW_PUBLIC_URL;

const isLoopback = /^(127\.|::1$|localhost$)/.test(host);
if (!isLoopback && publicUrl === undefined) {
  const [address] = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((it) => !it.internal && it.family === 'IPv4')
    .map((it) => it.address);
  say(
    `warning: other machines get addresses of this one only with --public-url, such as --public-url http://${address ?? 'this-machine'}:${port}`,
  );
}

const explain = (error: unknown): string => {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'EADDRINUSE') return `The port ${port} is in use. Stop what uses it, or start with another: npm start -- --port 0`;
  if (code === 'EADDRNOTAVAIL') return `This machine has no address ${host}; --listen takes one of its own, or 0.0.0.0`;
  return message;
};

const home = await startHome({ folder, host, port, publicUrl, env: process.env, say }).catch((error: unknown) =>
  fail(`Not started: ${explain(error)}`),
);
say('ready');
process.stdout.write(`
  API      ${home.url}/api/v1
  Docs     ${home.url}/docs
  Health   ${home.url}/api/v1/health
${home.isNew ? `\n  Admin key (shown once, kept in ${home.adminKeyPath})\n  ${home.adminKey}\n` : ''}
Next, in another terminal:
  export MAW_URL=${publicUrl ?? home.url} MAW_API_KEY=$(cat ${home.adminKeyPath})
  npx maw enrol --tools scripted,exec     # then paste the command that it prints: it starts a worker
  npx maw submit "say hello" --wait

Ctrl-C stops it.
`);

let stopping = false;
const stop = () => {
  if (stopping) process.exit(130);
  stopping = true;
  say('stopping (again to force)');
  home.close().then(
    () => process.exit(0),
    (error: Error) => fail(error.message),
  );
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
