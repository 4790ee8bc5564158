import { constants } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { AgentFailure } from '../../attempt/agent-failure.ts';
import { insideOf, isInside } from '../../process/folders.ts';

const MAX_BYTES = 1_048_576;
const MAX_ENTRIES = 500;

const refuse = (message: string): never => {
  throw new AgentFailure('denied', message);
};

/** The real path of a file in the workspace, which need not exist. Links must not lead out of the workspace. */
const writablePath = async (workspace: string, name: string): Promise<string> => {
  const wanted = resolve(workspace, name);
  if (wanted === workspace || !isInside(wanted, workspace)) return refuse(`${name} is outside the workspace`);
  for (let folder = wanted; ; folder = dirname(folder)) {
    const real = await insideOf([workspace], workspace, folder, 'The path');
    if (real !== null) return join(real, relative(folder, wanted));
  }
};

/** Opens regular files only: opening a pipe would block until another process opens its other end. */
const openPlain = async (path: string, flags: number) => {
  const found = await stat(path).catch(() => null);
  if (found !== null && !found.isFile()) return refuse('it is not a regular file');
  return open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
};

export const readText = async (workspace: string, name: string): Promise<string> => {
  const path = await insideOf([workspace], workspace, name, 'The file');
  if (path === null) return refuse(`there is no file ${name}`);
  const file = await openPlain(path, constants.O_RDONLY);
  try {
    const { size } = await file.stat();
    if (size > MAX_BYTES) refuse(`${name} has ${size} bytes; files of at most ${MAX_BYTES} bytes can be read`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
};

export const writeText = async (workspace: string, name: string, text: string): Promise<void> => {
  if (Buffer.byteLength(text) > MAX_BYTES) refuse(`at most ${MAX_BYTES} bytes can be written at once`);
  const path = await writablePath(workspace, name);
  await mkdir(dirname(path), { recursive: true });
  const file = await openPlain(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
};

/** The names in a folder; names of folders end with a slash. */
export const listNames = async (workspace: string, name: string): Promise<string> => {
  const path = await insideOf([workspace], workspace, name, 'The folder');
  if (path === null) return refuse(`there is no folder ${name}`);
  const entries = (await readdir(path, { withFileTypes: true })).map((it) => (it.isDirectory() ? `${it.name}/` : it.name)).toSorted();
  const rest = entries.length - MAX_ENTRIES;
  return [...entries.slice(0, MAX_ENTRIES), ...(rest > 0 ? [`(and ${rest} more)`] : [])].join('\n') || '(empty)';
};
