import { EXIT } from '../terminal/command-error.ts';
import type { Service } from './service.ts';

/** One line, whatever is in it. */
const line = (text: string): string => text.replace(/[\u0000-\u001f\u007f]+/g, ' ').replaceAll('%', '%%');

/** A word of a command line, where % and $ are not to be expanded. */
const word = (text: string): string => `"${line(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '$$$$')}"`;

/** Variables are not expanded there. */
const variable = (name: string, value: string): string =>
  `Environment="${line(`${name}=${value}`).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

const unitSection = ({ description, account }: Service): string[] => [
  '[Unit]',
  `Description=${line(description)}`,
  // The manager of a person's services knows no network targets; the worker waits for the network by itself anyhow.
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
  '# Waits grow up to five minutes; before systemd 254 these two are ignored.',
  'RestartSteps=6',
  'RestartMaxDelaySec=300',
  '# The worker alone is told to stop, and ends its tools itself; what is left then is killed.',
  'KillMode=mixed',
  `TimeoutStopSec=${stopSeconds}`,
  '# A tool that takes too much memory costs itself, not the worker.',
  'OOMPolicy=continue',
];

/** The unit of a worker, for the manager of a person or of the machine. */
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
