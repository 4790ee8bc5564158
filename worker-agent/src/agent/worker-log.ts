/** The worker's own log: one line for each change of state. */
type Level = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Record<string, string | number | boolean | null | undefined | readonly string[]>;
export type Log = (level: Level, event: string, fields?: Fields) => void;

const plain = (value: unknown): string => {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : JSON.stringify(text);
};

const textLine = (timestamp: string, level: Level, event: string, fields: Fields): string => {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return [timestamp, level.padEnd(5), event, ...pairs.map(([name, value]) => `${name}=${plain(value)}`)].join(' ');
};

export const createLog = (format: 'json' | 'text', write: (line: string) => void): Log => {
  return (level, event, fields = {}) => {
    const timestamp = new Date().toISOString();
    write(
      format === 'json'
        ? JSON.stringify({ timestamp, level, event, app: 'maw-worker', ...fields })
        : textLine(timestamp, level, event, fields),
    );
  };
};

export const silentLog: Log = () => {};
