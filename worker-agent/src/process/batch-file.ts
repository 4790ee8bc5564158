import { AgentFailure } from '../attempt/agent-failure.ts';

type Started = { file: string; args: readonly string[]; windowsVerbatimArguments?: boolean };

// Inside of quotes cmd.exe still reads these, and a batch file reads its arguments a second time.
const UNSAFE = /["%!\r\n]/;

const quoted = (text: string, file: string): string => {
  if (UNSAFE.test(text))
    throw new AgentFailure(
      'denied',
      `${file} is a batch file: its arguments must not have quotes, percent or exclamation marks or line ends, since they would be read as commands; name the program behind it`,
    );
  return `"${text.replace(/\\+$/, '$&$&')}"`;
};

/**
 * How a program is started on Windows. What npm installs there are batch files, which only cmd.exe runs: every argument goes in quotes,
 * and one that could get out of them is refused.
 */
export const startedOnWindows = (file: string, args: readonly string[], shell = process.env.ComSpec ?? 'cmd.exe'): Started => {
  if (!/\.(cmd|bat)$/i.test(file)) return { file, args };
  const line = [file, ...args].map((text) => quoted(text, file)).join(' ');
  return { file: shell, args: ['/d', '/s', '/v:off', '/c', `"${line}"`], windowsVerbatimArguments: true };
};
