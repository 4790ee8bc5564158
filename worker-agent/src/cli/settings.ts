import { homedir, hostname, totalmem } from 'node:os';
import { isAbsolute, join, normalize } from 'node:path';
import * as z from 'zod';
import { Name, Tool } from '../../../schema/common.ts';
import { LIMITS } from '../../../schema/json.ts';
import { ISOLATIONS } from '../process/isolation/isolation.ts';

const Whole = (min: number, max: number) =>
  z
    .union(
      [
        z.int(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      'must be a whole number',
    )
    .pipe(z.int().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
const Flag = z.union(
  [z.boolean(), z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1')],
  'must be true or false',
);
const List = (item: z.ZodType<string, string>) =>
  z
    .union([z.array(z.string()), z.string().transform((text) => [text])], 'must be a list, or values separated by commas')
    .transform((texts) =>
      texts
        .flatMap((text) => text.split(','))
        .map((text) => text.trim())
        .filter(Boolean),
    )
    .pipe(z.array(item));
const Url = z
  .url({ protocol: /^https?$/, error: 'must be an address such as http://127.0.0.1:8080' })
  .transform((url) => url.replace(/\/+$/, ''));

const isBelowHome = (path: string) => !isAbsolute(path) && !normalize(path).startsWith('..') && normalize(path) !== '.';

/** The possible values of a setting after parsing. */
export type SettingValue = string | number | boolean | string[];

type Definition = {
  schema: z.ZodType;
  /** The default; undefined means unset. */
  fallback: () => SettingValue | undefined;
  kind: 'text' | 'flag' | 'list';
  placeholder?: string;
  help: string;
  secret?: boolean;
  /** The name of the flag, if it differs from the key. */
  flag?: string;
};

const folder = (variable: string, ...otherwise: string[]) => process.env[variable] || join(homedir(), ...otherwise);
const stateHome = () =>
  join(process.platform === 'win32' ? folder('LOCALAPPDATA', 'AppData', 'Local') : folder('XDG_STATE_HOME', '.local', 'state'), 'maw');
export const configHome = () =>
  join(process.platform === 'win32' ? folder('APPDATA', 'AppData', 'Roaming') : folder('XDG_CONFIG_HOME', '.config'), 'maw');

const define = <const D extends Record<string, Definition>>(table: D): D => table;

/**
 * All settings. Each one has a flag (--exec-allow), a variable (MAW_EXEC_ALLOW), a key in the configuration file (exec_allow)
 * and a line of help. Precedence: flag, variable, configuration file, default.
 */
const SETTINGS = define({
  url: { schema: Url, fallback: () => 'http://127.0.0.1:8080', kind: 'text', placeholder: 'URL', help: 'Address of the platform' },
  api_key: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'KEY',
    secret: true,
    help: 'API key (mak_…) for all commands except those of the worker',
  },
  timeout_ms: {
    schema: Whole(100, 600_000),
    fallback: () => 30_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'Timeout of one request',
  },
  json: { schema: Flag, fallback: () => false, kind: 'flag', help: 'Print JSON' },
  poll_ms: {
    schema: Whole(10, 60_000),
    fallback: () => 1_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'Interval of polling while a task or log is followed without a WebSocket',
  },
  state_dir: {
    schema: z.string().min(1),
    fallback: stateHome,
    kind: 'text',
    placeholder: 'FOLDER',
    help: 'Folder for the credential of the worker and the workspaces of attempts',
  },
  name: {
    schema: Name,
    fallback: hostname,
    kind: 'text',
    placeholder: 'NAME',
    help: 'Name of the worker; workers on the same machine need different names',
  },
  tools: {
    schema: List(Tool),
    fallback: () => ['scripted'],
    kind: 'list',
    placeholder: 'NAMES',
    help: 'Tools that the worker offers, separated by commas: scripted, exec, openai-http',
  },
  slots: {
    schema: Whole(1, LIMITS.slots),
    fallback: () => 1,
    kind: 'text',
    placeholder: 'N',
    help: 'How many subtasks the worker runs at the same time',
  },
  enrol_token: {
    schema: z.string().startsWith('mae_', 'must be an enrolment token (mae_…); create one with: maw enrol'),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'TOKEN',
    secret: true,
    help: 'Enrolment token (mae_…), required only at the first start',
  },
  exec_allow: {
    schema: List(z.string()),
    fallback: () => [],
    kind: 'list',
    placeholder: 'COMMANDS',
    help: 'Commands that the tool exec may run: names or absolute paths; * allows all',
  },
  exec_roots: {
    schema: List(z.string()),
    fallback: () => [],
    kind: 'list',
    flag: 'exec-root',
    placeholder: 'FOLDER',
    help: 'Folders, in addition to the workspace, in which the tool exec may run commands',
  },
  exec_logins: {
    schema: List(z.string().refine(isBelowHome, 'must be a path relative to the home folder and inside it, such as .gitconfig')),
    fallback: () => [],
    kind: 'list',
    flag: 'exec-login',
    placeholder: 'FILES',
    help: 'Files of your home folder, such as .gitconfig, that the commands of exec also find in their own home folder',
  },
  isolation: {
    schema: z.enum(ISOLATIONS, `must be one of ${ISOLATIONS.join(', ')}`),
    fallback: () => 'env',
    kind: 'text',
    placeholder: ISOLATIONS.join('|'),
    help: 'Isolation of commands: none, a clean environment and home folder (env), or bubblewrap (bwrap, Linux only)',
  },
  secrets_file: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'FILE',
    help: 'File with secrets, one per line, to redact from everything that the worker sends; the values of *_TOKEN, *_KEY, *_SECRET and *_PASSWORD are always redacted',
  },
  openai_url: {
    schema: Url,
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'URL',
    help: 'Address of the model server for the tool openai-http, such as http://127.0.0.1:11434/v1',
  },
  openai_model: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'NAME',
    help: 'Model for the tool openai-http',
  },
  openai_key: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'KEY',
    secret: true,
    help: 'API key of the model server, if it requires one',
  },
  openai_no_stream: {
    schema: Flag,
    fallback: () => false,
    kind: 'flag',
    help: 'Request complete responses from the model server instead of streams',
  },
  openai_timeout_ms: {
    schema: Whole(100, 86_400_000),
    fallback: () => 600_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'Timeout of one response of the model',
  },
  openai_max_turns: {
    schema: Whole(1, 1_000),
    fallback: () => 50,
    kind: 'text',
    placeholder: 'N',
    help: 'Maximum number of requests to the model for one subtask',
  },
  keep_workspaces: { schema: Flag, fallback: () => false, kind: 'flag', help: 'Keep the workspaces of ended attempts' },
  kill_grace_ms: {
    schema: Whole(10, 60_000),
    fallback: () => 4_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'Time between SIGINT, SIGTERM and SIGKILL when a command is stopped',
  },
  idle_timeout_seconds: {
    schema: Whole(0, 86_400),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'S',
    help: 'How long a tool may produce no output, unless its subtask sets a limit; 0 for no limit',
  },
  first_event_timeout_seconds: {
    schema: Whole(0, 86_400),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'S',
    help: 'How long a tool may take until its first output, unless its subtask sets a limit; 0 for no limit',
  },
  max_result_bytes: {
    schema: Whole(1_024, 536_870_912),
    fallback: () => 16_777_216,
    kind: 'text',
    placeholder: 'BYTES',
    help: 'Maximum size of a result; a result above 256 KiB is sent as an artifact',
  },
  max_memory_mb: {
    schema: Whole(16, 16_777_216),
    fallback: () => Math.max(16, Math.floor((totalmem() / 1_048_576) * 0.75)),
    kind: 'text',
    placeholder: 'MIB',
    help: 'Maximum memory of all processes of one command together; three quarters of the memory of the machine by default',
  },
  max_output_mb: {
    schema: Whole(1, 1_048_576),
    fallback: () => 256,
    kind: 'text',
    placeholder: 'MIB',
    help: 'Maximum output of a command; a command that prints more is stopped',
  },
  max_log_bytes: {
    schema: Whole(1_024, 268_435_456),
    fallback: () => 5_242_880,
    kind: 'text',
    placeholder: 'BYTES',
    help: 'Maximum size of the log of one attempt; the rest is dropped',
  },
  report_for_ms: {
    schema: Whole(1_000, 86_400_000),
    fallback: () => 60_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long a stopping worker tries to send its results to an unavailable platform; the next start sends the rest',
  },
  drain_for_ms: {
    schema: Whole(0, 86_400_000),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long running subtasks may continue after the first signal to stop, before they are released; 0 for no limit',
  },
  stall_ms: {
    schema: Whole(500, 3_600_000),
    fallback: () => 30_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long the worker may hang before its tools are stopped and its leases are released',
  },
  notice_url: {
    schema: Url,
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'URL',
    help: 'Metadata service that announces the termination of this machine, such as http://169.254.169.254 on EC2 spot instances',
  },
  health_port: {
    schema: Whole(0, 65_535),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'PORT',
    help: 'Port on 127.0.0.1 that serves /livez, /readyz and /metrics; 0 for none',
  },
  max_spool_bytes: {
    schema: Whole(65_536, 1_099_511_627_776),
    fallback: () => 268_435_456,
    kind: 'text',
    placeholder: 'BYTES',
    help: 'Maximum size of the data stored on disk while the platform is unavailable',
  },
  log_format: {
    schema: z.enum(['text', 'json'], 'must be text or json'),
    fallback: () => 'text',
    kind: 'text',
    placeholder: 'text|json',
    help: 'Format of the log of the worker',
  },
});

export type SettingKey = keyof typeof SETTINGS;
type Value<K extends SettingKey> = z.output<(typeof SETTINGS)[K]['schema']>;
type Optional = 'api_key' | 'enrol_token' | 'openai_url' | 'openai_model' | 'openai_key' | 'secrets_file' | 'notice_url';
export type Config = { [K in Exclude<SettingKey, Optional>]: Value<K> } & { [K in Optional]: Value<K> | undefined };

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];
export const definitionOf = (key: SettingKey): Definition => SETTINGS[key];
export const flagOf = (key: SettingKey): string => definitionOf(key).flag ?? key.replaceAll('_', '-');
export const variableOf = (key: SettingKey): string => `MAW_${key.toUpperCase()}`;

/** The value of a setting as text, as the user would write it. */
export const asText = (value: SettingValue): string => (Array.isArray(value) ? value.join(',') : String(value));
