import { resolve } from 'node:path';
import { ApiError } from '../../../schema/client/client.ts';
import { WorkerAgent, WorkerRevoked } from '../agent/agent.ts';
import type { CommandContext } from './command.ts';
import { enrol, EnrolledOtherwise, type Identity, NotEnrolled } from '../agent/enrolment.ts';
import { serveHealth } from '../agent/health.ts';
import { createLog, type Log } from '../agent/worker-log.ts';
import type { Isolation } from '../process/isolation/isolation.ts';
import { prepareIsolation } from '../process/isolation/prepare-isolation.ts';
import { collectLeftovers } from '../agent/leftovers.ts';
import { Metrics } from '../agent/metrics.ts';
import { PidFile } from '../agent/pid-file.ts';
import { Redactor } from '../redaction/redactor.ts';
import { secretsIn, secretsOf } from '../redaction/secrets.ts';
import { type Config, configHome, type SettingKey } from './settings.ts';
import { StateFile } from '../agent/state-file.ts';
import { CommandError, ENROL_AGAIN, EXIT, UsageError } from '../terminal/command-error.ts';
import type { OpenAiSettings } from '../tools/openai/openai-http.ts';
import { createTools } from '../tools/registry.ts';
import type { AgentAdapter } from '../tools/adapter.ts';
import type { CommandRules } from '../process/allowed-command.ts';
import { listenToSignals, signalOptions } from './signals.ts';

export const WORKER_SETTINGS: readonly SettingKey[] = [
  'url',
  'name',
  'tools',
  'slots',
  'enrol_token',
  'state_dir',
  'exec_allow',
  'exec_roots',
  'exec_logins',
  'openai_url',
  'openai_model',
  'openai_key',
  'openai_no_stream',
  'openai_timeout_ms',
  'openai_max_turns',
  'isolation',
  'secrets_file',
  'keep_workspaces',
  'kill_grace_ms',
  'idle_timeout_seconds',
  'first_event_timeout_seconds',
  'max_result_bytes',
  'max_memory_mb',
  'max_output_mb',
  'max_log_bytes',
  'report_for_ms',
  'max_spool_bytes',
  'timeout_ms',
  'drain_for_ms',
  'stall_ms',
  'notice_url',
  'health_port',
  'log_format',
];

export const stateFileOf = ({ state_dir, url, name }: Config): StateFile => new StateFile(resolve(state_dir), url, name);

const rootsOf = ({ exec_roots }: Config): string[] => exec_roots.map((folder) => resolve(folder));

/** Prepares the configured isolation, which hides the files of the worker; throws CommandError if it is unavailable. */
export const isolationOf = (config: Config, file: string | null): Promise<Isolation> =>
  prepareIsolation({
    kind: config.isolation,
    roots: rootsOf(config),
    hidden: [resolve(config.state_dir), configHome(), ...[file, config.secrets_file].flatMap((it) => (it ? [resolve(it)] : []))],
  });

const commandsOf = (config: Config): CommandRules => ({ allow: config.exec_allow, roots: rootsOf(config) });

const RETRY_WAITS_MS = [1_000, 5_000, 20_000];

const openAiOf = (config: Config): OpenAiSettings | null => {
  const { openai_url: url, openai_model: model } = config;
  if (url === undefined || model === undefined) return null;
  return {
    url,
    model,
    key: config.openai_key,
    stream: !config.openai_no_stream,
    timeoutMs: config.openai_timeout_ms,
    maxTurns: config.openai_max_turns,
    retryWaitsMs: RETRY_WAITS_MS,
    commands: commandsOf(config),
  };
};

export const toolsOf = (config: Config): AgentAdapter[] => {
  try {
    const exec = { ...commandsOf(config), logins: config.exec_logins, maxResultBytes: config.max_result_bytes };
    return createTools(config.tools, { exec, openai: openAiOf(config) });
  } catch (cause) {
    throw new UsageError((cause as Error).message, 'correct --tools', { cause });
  }
};

const notEnrolled = (cause: Error): CommandError => new CommandError(cause.message, ENROL_AGAIN, { exitCode: EXIT.not_enrolled, cause });

/** The identity of the worker; enrols it first if necessary. */
export const identityOf = async (file: StateFile, config: Config): Promise<Identity> => {
  const { url, name, tools, slots, timeout_ms, enrol_token } = config;
  try {
    return await enrol(file, { url, name, tools, slots, timeoutMs: timeout_ms, enrolToken: enrol_token });
  } catch (error) {
    if (error instanceof NotEnrolled) throw notEnrolled(error);
    if (error instanceof EnrolledOtherwise)
      throw new CommandError(error.message, 'start the worker with those --tools, or enrol it again with a new token', { cause: error });
    if (error instanceof ApiError) throw error;
    throw new CommandError((error as Error).message, 'check --state-dir', { cause: error });
  }
};

const redactorOf = ({ secrets_file, api_key, enrol_token, openai_key }: Config): Redactor => {
  const redactor = new Redactor([...secretsOf(process.env), api_key ?? '', enrol_token ?? '', openai_key ?? '']);
  try {
    if (secrets_file !== undefined) redactor.add(...secretsIn(secrets_file));
  } catch (cause) {
    throw new UsageError(`The secrets file cannot be read: ${(cause as Error).message}`, 'correct --secrets-file', { cause });
  }
  return redactor;
};

type Resources = { file: StateFile; isolation: Isolation; redactor: Redactor; log: Log };

const agentOf = (config: Config, identity: Identity, { file, isolation, redactor, log }: Resources): WorkerAgent =>
  new WorkerAgent({
    url: config.url,
    ...identity,
    tools: toolsOf(config),
    slots: config.slots,
    timeoutMs: config.timeout_ms,
    stallMs: config.stall_ms,
    redactor,
    log,
    onCredential: (credential) => void saveCredential(file, credential, log),
    settings: {
      workspaces: file.workspaces,
      isolation,
      limits: { memoryBytes: config.max_memory_mb * 1_048_576, outputBytes: config.max_output_mb * 1_048_576 },
      keepWorkspaces: config.keep_workspaces,
      killGraceMs: config.kill_grace_ms,
      idleTimeoutSeconds: config.idle_timeout_seconds,
      firstEventTimeoutSeconds: config.first_event_timeout_seconds,
      commands: commandsOf(config),
      maxLogBytes: config.max_log_bytes,
      maxResultBytes: config.max_result_bytes,
      reportForMs: config.report_for_ms,
      spoolFolder: file.spool,
      maxSpoolBytes: config.max_spool_bytes,
    },
  });

const saveCredential = async (file: StateFile, credential: string, log: Log): Promise<void> => {
  try {
    const state = await file.read();
    if (state !== null) await file.write({ ...state, credential });
  } catch (error) {
    log('error', 'credential.not-saved', { error: (error as Error).message });
  }
};

/** Serves the health of the agent while it works, if a port is configured. */
const withHealthServer = async (port: number, agent: WorkerAgent, metrics: Metrics, work: () => Promise<unknown>) => {
  if (port === 0) return work();
  const health = await serveHealth({ port, status: () => agent.status, metrics }).catch((cause: Error) => {
    throw new CommandError(`cannot listen on 127.0.0.1:${port}: ${cause.message}`, 'choose another --health-port', { cause });
  });
  return work().finally(() => health.close());
};

/** Runs the agent, which the signals of this process drain and cancel. */
const withSignals = async (agent: WorkerAgent, config: Config, work: (agent: WorkerAgent) => Promise<unknown>) => {
  const unlisten = listenToSignals(agent, signalOptions(config));
  try {
    await work(agent);
  } finally {
    unlisten();
  }
};

/** Runs the configured worker, unless another process on this machine runs it; returns the exit code. */
export const withAgent = async (
  { config, loaded, io }: CommandContext,
  work: (agent: WorkerAgent) => Promise<unknown>,
): Promise<number> => {
  toolsOf(config);
  const redactor = redactorOf(config);
  const isolation = await isolationOf(config, loaded.file);
  const file = stateFileOf(config);
  const pidFile = new PidFile(file.path);
  const other = await pidFile.take(config.health_port);
  if (other !== null)
    throw new CommandError(
      `the worker ${config.name} is already running, as process ${other}`,
      'choose another --name, or stop the running one: maw worker drain',
    );
  try {
    const metrics = new Metrics();
    const log = metrics.counting(createLog(config.log_format, (line) => io.out(redactor.text(line))));
    await collectLeftovers(file.workspaces, config.keep_workspaces, log);
    const agent = agentOf(config, await identityOf(file, config), { file, isolation, redactor, log });
    await withHealthServer(config.health_port, agent, metrics, () => withSignals(agent, config, work));
    return EXIT.ok;
  } catch (error) {
    if (error instanceof WorkerRevoked) throw notEnrolled(error);
    throw error;
  } finally {
    await pidFile.release();
  }
};
