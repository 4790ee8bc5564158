import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { configHome } from '../cli/settings.ts';
import { labelOf, plistOf } from './launchd.ts';
import type { Service } from './service.ts';
import { unitOf } from './systemd.ts';

type Words = readonly string[];
/** How to install and remove a service on this platform. */
export type Plan = {
  file: string;
  content: string;
  /** Folders that must exist before the service starts. */
  folders: readonly string[];
  /** Commands that must succeed. Those of `undo` may fail if there is nothing to undo. */
  start: readonly Words[];
  undo: readonly Words[];
  afterwards: readonly Words[];
  notes: readonly string[];
};

const systemd = (service: Service): Plan => {
  const unit = `${service.id}.service`;
  const isOwn = service.account === undefined;
  const systemctl = (...words: string[]) => ['systemctl', ...(isOwn ? ['--user'] : []), ...words];
  const folder = isOwn ? join(dirname(configHome()), 'systemd', 'user') : '/etc/systemd/system';
  return {
    file: join(folder, unit),
    content: unitOf(service),
    folders: [],
    start: [systemctl('daemon-reload'), systemctl('enable', unit), systemctl('restart', unit)],
    undo: [systemctl('disable', '--now', unit)],
    afterwards: [systemctl('daemon-reload')],
    notes: [
      `log: journalctl ${isOwn ? '--user-unit' : '--unit'} ${unit} --follow`,
      ...(isOwn ? ['the service stops when you log out; to prevent that, run once: loginctl enable-linger'] : []),
    ],
  };
};

const launchd = (service: Service): Plan => {
  const isOwn = service.account === undefined;
  const domain = isOwn ? `gui/${process.getuid?.() ?? ''}` : 'system';
  const logs = isOwn ? join(homedir(), 'Library', 'Logs', 'maw') : '/Library/Logs/maw';
  const log = join(logs, `${service.id}.log`);
  const file = join(isOwn ? join(homedir(), 'Library', 'LaunchAgents') : '/Library/LaunchDaemons', `${labelOf(service)}.plist`);
  return {
    file,
    content: plistOf(service, log),
    folders: [logs],
    start: [['launchctl', 'bootstrap', domain, file]],
    undo: [['launchctl', 'bootout', `${domain}/${labelOf(service)}`]],
    afterwards: [],
    notes: [`log: ${log}`],
  };
};

/** Null on platforms without a supported service manager. */
export const planOf = (service: Service, platform: NodeJS.Platform): Plan | null => {
  if (platform === 'linux') return systemd(service);
  return platform === 'darwin' ? launchd(service) : null;
};
