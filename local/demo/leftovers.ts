import { lstat, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from '../postgres/lock.ts';
import { stopOrphan } from '../postgres/orphan.ts';

export const PREFIX = 'maw-demo-';
/** A new folder may not have its lock yet. */
const YOUNG_MS = 60_000;

/** Deletes the folders of demos that were killed, and stops the PostgreSQL that still runs in them. */
export const removeLeftovers = async (parent = tmpdir()): Promise<void> => {
  const names = (await readdir(parent)).filter((name) => name.startsWith(PREFIX));
  for (const name of names) await removeDead(join(parent, name)).catch(() => {}); // its demo is still running
};

const removeDead = async (folder: string) => {
  const found = await lstat(folder);
  const isOurs = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid);
  if (!isOurs || Date.now() - found.mtimeMs < YOUNG_MS) return;
  lockFolder(folder);
  await stopOrphan(join(folder, 'postgres/data'));
  await rm(folder, { recursive: true, force: true });
};
