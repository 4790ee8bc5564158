export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Writes one structured line: what happened, with its fields. Never give it goals, results or credentials. */
export type Log = (level: LogLevel, event: string, fields?: Record<string, unknown>) => void;
