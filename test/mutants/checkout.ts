import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

/** Copies the files of the checkout, committed or not, except those that Git ignores. */
const copyFiles = (from: string, to: string): void => {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: from, encoding: 'utf8' });
  for (const file of new Set(listed.split('\0').filter((name) => name !== ''))) {
    const path = join(from, file);
    if (!existsSync(path)) continue; // deleted, but not committed yet
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(path, join(to, file), { verbatimSymlinks: true });
  }
};

/** The target of a link: for a package of this repository it is the one in the copy. */
const targetOf = (path: string, from: string, to: string): string => {
  const inCheckout = relative(from, realpathSync(path));
  return lstatSync(path).isSymbolicLink() && !inCheckout.startsWith('node_modules') ? join(to, inCheckout) : path;
};

/** Makes a separate node_modules with a link for each package, so that the caches in it are separate as well. */
const linkModules = (from: string, to: string): void => {
  const link = (name: string) => {
    const path = join(from, 'node_modules', name);
    const type = lstatSync(realpathSync(path)).isDirectory() ? 'junction' : 'file';
    symlinkSync(targetOf(path, from, to), join(to, 'node_modules', name), type);
  };
  mkdirSync(join(to, 'node_modules'));
  for (const name of readdirSync(join(from, 'node_modules'))) {
    if (name.startsWith('.vite')) continue;
    if (!name.startsWith('@')) link(name);
    else {
      mkdirSync(join(to, 'node_modules', name));
      for (const scoped of readdirSync(join(from, 'node_modules', name))) link(`${name}/${scoped}`);
    }
  }
};

/** A copy of the checkout that may be changed; `remove` deletes it. */
export const copyCheckout = async (from: string): Promise<{ folder: string; remove(): void }> => {
  const folder = realpathSync(await mkdtemp(join(tmpdir(), 'maw-mutants-')));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    copyFiles(from, folder);
    linkModules(from, folder);
    return { folder, remove };
  } catch (error) {
    remove();
    throw error;
  }
};
