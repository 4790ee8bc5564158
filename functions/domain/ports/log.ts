export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Writes one structured line: an event with its fields. Never pass it goals, results or credentials. */
export type Log = (level: LogLevel, event: string, fields?: Record<string, unknown>) => void;
