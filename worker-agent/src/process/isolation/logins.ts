import { cp, mkdir, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Puts the files that a tool logs in with, named from the home folder, into the home folder of an attempt: as links, so that what the
 * tool renews is kept. Where links are a privilege, as on Windows, they are copies.
 */
export const bringLogins = async (logins: readonly string[], home: string): Promise<void> => {
  for (const login of logins) {
    const [from, to] = [join(homedir(), login), join(home, login)];
    if ((await stat(from).catch(() => null)) === null) continue;
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    if (process.platform === 'win32') await cp(from, to, { recursive: true });
    else await symlink(from, to);
  }
};
