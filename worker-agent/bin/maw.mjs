#!/usr/bin/env node
// Plain JavaScript, so that any version of Node can run it: it installs missing packages and finds a newer Node if needed.
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../src/cli/main.ts');
const built = join(here, '../dist/cli.js');
const bootstrap = join(here, '../../scripts/bootstrap.mjs');
// npm writes this file at the end of an installation.
const isInstalled = existsSync(join(here, '../../node_modules/.package-lock.json'));

const EXIT_DELAY_MS = 3_000;

const run = async (file) => {
  const { main } = await import(pathToFileURL(file).href);
  process.exitCode = await main(process.argv.slice(2));
  // A WebSocket whose server has stopped responding cannot be destroyed, and would keep the process alive.
  setTimeout(() => process.exit(), EXIT_DELAY_MS).unref();
};

/** The output of a command that needs no installation, or null for any other command. `npm run maw:help` writes help.txt. */
const outputOf = (word) => {
  if (['--help', '-h', 'help'].includes(word)) return readFileSync(join(here, 'help.txt'), 'utf8');
  if (word !== '--version' && word !== '-v') return null;
  const { version } = JSON.parse(readFileSync(join(here, '../package.json'), 'utf8'));
  return `${version}\n`;
};

if (!existsSync(source)) await run(built);
else if (process.features.typescript && (isInstalled || process.env.MAW_BOOTSTRAPPED)) {
  // Caches compiled code, which halves the time of the next start.
  module.enableCompileCache?.(join(here, '../../node_modules/.cache/node'));
  await run(source);
} else if (outputOf(process.argv[2]) !== null) process.stdout.write(outputOf(process.argv[2]));
else {
  // The bootstrap script runs this file again, with the locked version of Node and the locked dependencies.
  process.env.MAW_BOOTSTRAPPED = '1';
  process.argv.splice(2, 0, 'worker-agent/bin/maw.mjs');
  await import(pathToFileURL(bootstrap).href);
}
