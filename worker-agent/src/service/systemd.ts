import { EXIT } from '../terminal/command-error.ts';
import type { Service } from './service.ts';

/** Replaces control characters, so that the text stays on one line, and escapes %. */
const line = (text: string): string => text.replace(/[\u0000-\u001f\u007f]+/g, ' ').replaceAll('%', '%%');

/** A quoted argument of a command line, in which systemd expands neither % nor $. */
const word = (text: string): string => `"${line(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '$$$$')}"`;

/** An Environment line, in which systemd does not expand $. */
const variable = (name: string, value: string): string =>
  `Environment="${line(`${name}=${value}`).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

const unitSection = ({ description, account }: Service): string[] => [
  '[Unit]',
  `Description=${line(description)}`,
  // The user manager of systemd has no network targets; the worker waits for the network by itself.
  ...(account === undefined ? [] : ['Wants=network-online.target', 'After=network-online.target']),
  'StartLimitIntervalSec=0',
];

const serviceSection = ({ argv, path, stopSeconds, account }: Service): string[] => [
  '[Service]',
  'Type=exec',
  `ExecStart=${argv.map(word).join(' ')}`,
  ...(account === undefined ? [] : [`User=${line(account)}`, 'StateDirectory=maw', 'StateDirectoryMode=0700']),
  variable('PATH', path),
  `EnvironmentFile=-${account === undefined ? '%E' : '/etc'}/maw/worker.env`,
  'Restart=on-failure',
  `RestartPreventExitStatus=${EXIT.usage} ${EXIT.not_enrolled}`,
  'RestartSec=5',
  '# The delay grows up to five minutes; systemd before 254 ignores these two lines.',
  'RestartSteps=6',
  'RestartMaxDelaySec=300',
  '# Only the worker gets SIGTERM and stops its tools itself; remaining processes are then killed.',
  'KillMode=mixed',
  `TimeoutStopSec=${stopSeconds}`,
  '# If a tool runs out of memory, only the tool is killed, not the worker.',
  'OOMPolicy=continue',
];

/** The systemd unit of a worker, for the user manager or the system manager. */
export const unitOf = (service: Service): string =>
  [
    ...unitSection(service),
    '',
    ...serviceSection(service),
    '',
    '[Install]',
    `WantedBy=${service.account === undefined ? 'default.target' : 'multi-user.target'}`,
    '',
  ].join('\n');
