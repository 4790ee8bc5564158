import { cp, mkdir, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Provides the credential files of a tool, given relative to the home folder, in the home folder of an attempt. They are links, so that
 * credentials that the tool renews are kept; on Windows, where links need a privilege, they are copies.
 */
export const provideLogins = async (logins: readonly string[], home: string): Promise<void> => {
  for (const login of logins) {
    const [from, to] = [join(homedir(), login), join(home, login)];
    if ((await stat(from).catch(() => null)) === null) continue;
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    if (process.platform === 'win32') await cp(from, to, { recursive: true });
    else await symlink(from, to);
  }
};
