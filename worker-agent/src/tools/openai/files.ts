import { constants } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { AgentFailure } from '../../attempt/agent-failure.ts';
import { insideOf, isInside } from '../../process/folders.ts';

const MOST_BYTES = 1_048_576;
const MOST_ENTRIES = 500;

const refuse = (message: string): never => {
  throw new AgentFailure('denied', message);
};

/** The real path of a file of the workspace that need not be there; no link leads out of it. */
const placeFor = async (workspace: string, name: string): Promise<string> => {
  const wanted = resolve(workspace, name);
  if (wanted === workspace || !isInside(wanted, workspace)) return refuse(`${name} is outside of the workspace`);
  for (let folder = wanted; ; folder = dirname(folder)) {
    const real = await insideOf([workspace], workspace, folder, 'The path');
    if (real !== null) return join(real, relative(folder, wanted));
  }
};

/** Plain files only: to open a pipe would wait for whoever opens its other end. */
const openPlain = async (path: string, flags: number) => {
  const found = await stat(path).catch(() => null);
  if (found !== null && !found.isFile()) return refuse('it is not a plain file');
  return open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
};

export const readText = async (workspace: string, name: string): Promise<string> => {
  const path = await insideOf([workspace], workspace, name, 'The file');
  if (path === null) return refuse(`there is no file ${name}`);
  const file = await openPlain(path, constants.O_RDONLY);
  try {
    const { size } = await file.stat();
    if (size > MOST_BYTES) refuse(`${name} has ${size} bytes; at most ${MOST_BYTES} are read`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
};

export const writeText = async (workspace: string, name: string, text: string): Promise<void> => {
  if (Buffer.byteLength(text) > MOST_BYTES) refuse(`at most ${MOST_BYTES} bytes are written at once`);
  const path = await placeFor(workspace, name);
  await mkdir(dirname(path), { recursive: true });
  const file = await openPlain(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
};

/** The names in a folder, folders with a slash at their end. */
export const listNames = async (workspace: string, name: string): Promise<string> => {
  const path = await insideOf([workspace], workspace, name, 'The folder');
  if (path === null) return refuse(`there is no folder ${name}`);
  const entries = (await readdir(path, { withFileTypes: true })).map((it) => (it.isDirectory() ? `${it.name}/` : it.name)).toSorted();
  const rest = entries.length - MOST_ENTRIES;
  return [...entries.slice(0, MOST_ENTRIES), ...(rest > 0 ? [`(and ${rest} more)`] : [])].join('\n') || '(it is empty)';
};
