import { AgentFailure } from '../attempt/agent-failure.ts';

type Started = { file: string; args: readonly string[]; windowsVerbatimArguments?: boolean };

// cmd.exe interprets these characters even inside quotes, and a batch file interprets its arguments a second time.
const UNSAFE = /["%!\r\n]/;

const quoted = (text: string, file: string): string => {
  if (UNSAFE.test(text))
    throw new AgentFailure(
      'denied',
      `${file} is a batch file: its arguments must not contain quotes, percent signs, exclamation marks or line breaks, since cmd.exe would interpret them; name the program that the batch file starts`,
    );
  return `"${text.replace(/\\+$/, '$&$&')}"`;
};

/**
 * How a program is started on Windows. npm installs batch files there, which only cmd.exe can run: every argument is quoted, and one
 * that could escape the quotes is refused.
 */
export const startedOnWindows = (file: string, args: readonly string[], shell = process.env.ComSpec ?? 'cmd.exe'): Started => {
  if (!/\.(cmd|bat)$/i.test(file)) return { file, args };
  const line = [file, ...args].map((text) => quoted(text, file)).join(' ');
  return { file: shell, args: ['/d', '/s', '/v:off', '/c', `"${line}"`], windowsVerbatimArguments: true };
};
