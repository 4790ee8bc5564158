import { statSync } from 'node:fs';
import { delimiter, isAbsolute } from 'node:path';
import { isInside } from '../folders.ts';
import type { Workspace } from '../../attempt/workspace.ts';
import type { Isolation, ToolCommand } from './isolation.ts';

type Bwrap = Extract<Isolation, { kind: 'bwrap' }>;

/** A sandbox in which everything is readable and nothing writable. It ends with its first process or with the worker. */
export const SANDBOX = '--unshare-pid --unshare-ipc --die-with-parent --cap-drop ALL --ro-bind / / --dev /dev --proc /proc'.split(' ');

// These folders are hidden, since through a socket in them a process could act outside the sandbox. What the network and NixOS need in
// /run stays visible.
const RUN = ['/run/systemd/resolve', '/run/NetworkManager', '/run/resolvconf', '/run/current-system', '/run/wrappers'];
const SOCKETS = ['/run', '/tmp', '/var/tmp'];

const hide = (path: string): string[] => {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  return found.isDirectory() ? ['--tmpfs', path] : ['--ro-bind', '/dev/null', path];
};

const same = (flag: string) => (path: string) => [flag, path, path];

/** Programs in hidden folders, which must stay visible. */
const programs = (command: ToolCommand, hidden: readonly string[]): string[] =>
  [...(command.env.PATH ?? '').split(delimiter), command.file].filter(
    (path) => isAbsolute(path) && hidden.some((folder) => path !== folder && isInside(path, folder)),
  );

/** The command as bubblewrap starts it. Later mounts cover earlier ones. */
export const inBwrap = ({ bwrap, roots, hidden }: Bwrap, workspace: Workspace, command: ToolCommand): ToolCommand => {
  const secret = [...SOCKETS, ...hidden];
  const args = [
    SANDBOX,
    secret.flatMap(hide),
    ['--bind', workspace.temporary, '/tmp'],
    [...RUN, ...programs(command, secret)].flatMap(same('--ro-bind-try')),
    [...roots, workspace.root].flatMap(same('--bind')),
    ['--chdir', command.cwd, '--', command.file, ...command.args],
  ].flat();
  return { file: bwrap, args, cwd: workspace.path, env: command.env };
};
