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

/** What a setting can be once it is read. */
export type SettingValue = string | number | boolean | string[];

type Definition = {
  schema: z.ZodType;
  /** What is taken when nobody says anything; undefined means unset. */
  fallback: () => SettingValue | undefined;
  kind: 'text' | 'flag' | 'list';
  placeholder?: string;
  help: string;
  secret?: boolean;
  /** The name of the flag where it is not that of the key. */
  flag?: string;
};

const folder = (variable: string, ...otherwise: string[]) => process.env[variable] || join(homedir(), ...otherwise);
const stateHome = () =>
  join(process.platform === 'win32' ? folder('LOCALAPPDATA', 'AppData', 'Local') : folder('XDG_STATE_HOME', '.local', 'state'), 'maw');
export const configHome = () =>
  join(process.platform === 'win32' ? folder('APPDATA', 'AppData', 'Roaming') : folder('XDG_CONFIG_HOME', '.config'), 'maw');

const define = <const D extends Record<string, Definition>>(table: D): D => table;

/**
 * The one table of settings. Each key is a flag (--exec-allow), a variable (MAW_EXEC_ALLOW), a key of the configuration file
 * (exec_allow) and a line of help; flags win over variables, those over the file, that over the default.
 */
const SETTINGS = define({
  url: { schema: Url, fallback: () => 'http://127.0.0.1:8080', kind: 'text', placeholder: 'URL', help: 'Where the platform is' },
  api_key: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'KEY',
    secret: true,
    help: 'API key (mak_…) for the commands of people',
  },
  timeout_ms: {
    schema: Whole(100, 600_000),
    fallback: () => 30_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long one request may take',
  },
  json: { schema: Flag, fallback: () => false, kind: 'flag', help: 'Print JSON for machines' },
  poll_ms: {
    schema: Whole(10, 60_000),
    fallback: () => 1_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'Between looks at what is followed, where nothing is pushed',
  },
  state_dir: {
    schema: z.string().min(1),
    fallback: stateHome,
    kind: 'text',
    placeholder: 'FOLDER',
    help: "Where the worker keeps its credential and the attempts' workspaces",
  },
  name: {
    schema: Name,
    fallback: hostname,
    kind: 'text',
    placeholder: 'NAME',
    help: 'Name of the worker; several on one machine need different ones',
  },
  tools: {
    schema: List(Tool),
    fallback: () => ['scripted'],
    kind: 'list',
    placeholder: 'NAMES',
    help: 'Tools that it offers, separated by commas: scripted, exec, openai-http',
  },
  slots: {
    schema: Whole(1, LIMITS.slots),
    fallback: () => 1,
    kind: 'text',
    placeholder: 'N',
    help: 'How many subtasks it carries out at once',
  },
  enrol_token: {
    schema: z.string().startsWith('mae_', 'must be an enrolment token (mae_…); make one with: maw enrol'),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'TOKEN',
    secret: true,
    help: 'Enrolment token (mae_…), needed at the first start only',
  },
  exec_allow: {
    schema: List(z.string()),
    fallback: () => [],
    kind: 'list',
    placeholder: 'COMMANDS',
    help: 'Commands that the tool exec may run: names or absolute paths; * for all',
  },
  exec_roots: {
    schema: List(z.string()),
    fallback: () => [],
    kind: 'list',
    flag: 'exec-root',
    placeholder: 'FOLDER',
    help: 'Folders, besides the workspace, in which the tool exec may run commands',
  },
  exec_logins: {
    schema: List(z.string().refine(isBelowHome, 'must be named from the home folder, such as .gitconfig, and lie in it')),
    fallback: () => [],
    kind: 'list',
    flag: 'exec-login',
    placeholder: 'FILES',
    help: 'Files of your home folder that the commands of exec find in theirs, such as .gitconfig',
  },
  isolation: {
    schema: z.enum(ISOLATIONS, `must be one of ${ISOLATIONS.join(', ')}`),
    fallback: () => 'env',
    kind: 'text',
    placeholder: ISOLATIONS.join('|'),
    help: 'How commands are kept apart: not, by environment and home folder, or by bubblewrap (Linux)',
  },
  secrets_file: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'FILE',
    help: 'Secrets, one on each line, that are taken out of everything that leaves the worker; values of *_TOKEN, *_KEY, *_SECRET and *_PASSWORD are anyway',
  },
  openai_url: {
    schema: Url,
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'URL',
    help: 'Where the tool openai-http finds its model, such as http://127.0.0.1:11434/v1',
  },
  openai_model: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'NAME',
    help: 'The model that the tool openai-http asks',
  },
  openai_key: {
    schema: z.string().min(1),
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'KEY',
    secret: true,
    help: 'The key for its server, where that wants one',
  },
  openai_no_stream: { schema: Flag, fallback: () => false, kind: 'flag', help: 'Have its answers come whole, not piece by piece' },
  openai_timeout_ms: {
    schema: Whole(100, 86_400_000),
    fallback: () => 600_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long one of its answers may take',
  },
  openai_max_turns: {
    schema: Whole(1, 1_000),
    fallback: () => 50,
    kind: 'text',
    placeholder: 'N',
    help: 'How often it is asked for one subtask at most',
  },
  keep_workspaces: { schema: Flag, fallback: () => false, kind: 'flag', help: 'Do not remove the workspace of an attempt after it' },
  kill_grace_ms: {
    schema: Whole(10, 60_000),
    fallback: () => 4_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'Between SIGINT, SIGTERM and SIGKILL for a command that has to stop',
  },
  idle_timeout_seconds: {
    schema: Whole(0, 86_400),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'S',
    help: 'How long a tool may be silent where its subtask does not say; 0 for as long as it likes',
  },
  first_event_timeout_seconds: {
    schema: Whole(0, 86_400),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'S',
    help: 'Within what time something must be heard of a tool at first, where its subtask does not say; 0 for whenever',
  },
  max_result_bytes: {
    schema: Whole(1_024, 536_870_912),
    fallback: () => 16_777_216,
    kind: 'text',
    placeholder: 'BYTES',
    help: 'Largest result; above 256 KiB it goes as an artifact',
  },
  max_memory_mb: {
    schema: Whole(16, 16_777_216),
    fallback: () => Math.max(16, Math.floor((totalmem() / 1_048_576) * 0.75)),
    kind: 'text',
    placeholder: 'MIB',
    help: 'Most memory that the processes of one command may take up together; three quarters of the machine by default',
  },
  max_output_mb: {
    schema: Whole(1, 1_048_576),
    fallback: () => 256,
    kind: 'text',
    placeholder: 'MIB',
    help: 'A command that prints more than this is stopped',
  },
  max_log_bytes: {
    schema: Whole(1_024, 268_435_456),
    fallback: () => 5_242_880,
    kind: 'text',
    placeholder: 'BYTES',
    help: 'Most output that is sent of one attempt; the rest is dropped',
  },
  report_for_ms: {
    schema: Whole(1_000, 86_400_000),
    fallback: () => 60_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long a worker that is to end offers results to a server that does not answer; the next start sends what is left',
  },
  drain_for_ms: {
    schema: Whole(0, 86_400_000),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long what runs may go on after the first signal to end, before it is given back; 0 for as long as it takes',
  },
  stall_ms: {
    schema: Whole(500, 3_600_000),
    fallback: () => 30_000,
    kind: 'text',
    placeholder: 'MS',
    help: 'How long the worker may hang before its tools are ended and its leases are given up',
  },
  notice_url: {
    schema: Url,
    fallback: () => undefined,
    kind: 'text',
    placeholder: 'URL',
    help: 'Metadata service that says when this machine is to be taken away, such as http://169.254.169.254 on EC2 spot instances',
  },
  health_port: {
    schema: Whole(0, 65_535),
    fallback: () => 0,
    kind: 'text',
    placeholder: 'PORT',
    help: 'Port of this machine, reached from it alone, that tells /livez, /readyz and /metrics; 0 for none',
  },
  max_spool_bytes: {
    schema: Whole(65_536, 1_099_511_627_776),
    fallback: () => 268_435_456,
    kind: 'text',
    placeholder: 'BYTES',
    help: 'Most that is kept on the disk for a server that does not answer',
  },
  log_format: {
    schema: z.enum(['text', 'json'], 'must be text or json'),
    fallback: () => 'text',
    kind: 'text',
    placeholder: 'text|json',
    help: "Form of the worker's own lines",
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

/** A setting as people write it. */
export const asText = (value: SettingValue): string => (Array.isArray(value) ? value.join(',') : String(value));
