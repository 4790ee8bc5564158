import { styleText } from 'node:util';

type Tone = 'good' | 'bad' | 'soft' | 'strong' | 'busy';
export type Io = {
  out(text: string): void;
  /** Writes the text unchanged, without adding a newline. */
  raw(text: string): void;
  error(text: string): void;
  isTerminal: boolean;
  paint(tone: Tone, text: string): string;
};

const STYLES = { good: 'green', bad: 'red', soft: 'dim', strong: 'bold', busy: 'cyan' } as const;

/** Standard output and error; with colours only in a terminal and without NO_COLOR. */
export const terminal = (env: Record<string, string | undefined>): Io => {
  const isTerminal = process.stdout.isTTY;
  const hasColours = isTerminal && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    isTerminal,
    out: (text) => void process.stdout.write(`${text}\n`),
    raw: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(`${text}\n`),
    paint: (tone, text) => (hasColours ? styleText(STYLES[tone], text, { validateStream: false }) : text),
  };
};

const TONES: Record<string, Tone> = {
  completed: 'good',
  online: 'good',
  failed: 'bad',
  cancelled: 'bad',
  running: 'busy',
  busy: 'busy',
  claimed: 'busy',
  offline: 'soft',
  blocked: 'soft',
  skipped: 'soft',
};

export const paintStatus = (io: Io, status: string): string => {
  const tone = TONES[status];
  return tone === undefined ? status : io.paint(tone, status);
};
