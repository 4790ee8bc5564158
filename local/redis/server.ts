import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { jittered } from '../../schema/client/backoff.ts';
import { freePort } from '../free-port.ts';
import type { LinkedRequester } from './requester.ts';
import { type ConnectOptions, connectRedis } from './tcp.ts';

export type RedisServerOptions = {
  program: string;
  /** Folder of its configuration and log. */
  folder: string;
  say?: (line: string) => void;
} & ConnectOptions;
export type RunningRedis = { url: string; requester: LinkedRequester; pid(): number; close(): Promise<void> };

const READY_MS = 15_000;
const STOP_MS = 2_000;
const RESTART_MS = 1_000;

/** A Redis or Valkey as a child process that stores nothing on disk. It is restarted whenever it ends by itself. */
export const startRedisServer = async ({ program, folder, say = () => {}, ...options }: RedisServerOptions): Promise<RunningRedis> => {
  const place = join(resolve(folder), 'redis');
  const url = configure(place, await freePort());
  const server = supervise(() => launch(program, place), say);
  const requester = await connectRedis(url, options);
  const close = async () => {
    await requester.close();
    await server.stop();
  };
  try {
    await becomesReady(requester, server.child(), join(place, 'redis.log'));
    server.keep();
    return { url, requester, pid: () => server.child().pid ?? 0, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** The password keeps out other users of this machine. */
const configure = (place: string, port: number): string => {
  const password = randomBytes(24).toString('hex');
  const settings = ['bind 127.0.0.1', `port ${port}`, `requirepass ${password}`, 'save ""', 'appendonly no', 'loglevel warning'];
  mkdirSync(place, { recursive: true, mode: 0o700 });
  writeFileSync(join(place, 'redis.conf'), `${settings.join('\n')}\n`, { mode: 0o600 });
  return `redis://:${password}@127.0.0.1:${port}`;
};

/**
 * A shell that becomes the server and leaves a watcher behind. Descriptor 3 is a pipe from this process: if it closes without a line,
 * this process was killed, and the watcher kills the server. A line means that the server has already ended.
 */
const WATCHED = '(read -r _ <&3 || kill -9 $$) & exec "$@" 3<&-';

/** In its own session, so that a Ctrl-C at the terminal does not stop it before the platform has finished. */
const launch = (program: string, place: string): ChildProcess => {
  const log = openSync(join(place, 'redis.log'), 'a');
  const child = spawn('/bin/sh', ['-c', WATCHED, 'sh', program, join(place, 'redis.conf')], {
    cwd: place,
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  });
  closeSync(log);
  child.on('error', () => {}); // an exit event follows; the failure is reported with the log
  const watcher = child.stdio[3] as Writable;
  watcher.on('error', () => {}); // the watcher was killed as well
  child.once('exit', () => watcher.end('\n'));
  return child;
};

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

/** Its data are only hints and may be lost, so a new server simply replaces it. */
const supervise = (start: () => ChildProcess, say: (line: string) => void) => {
  const stopping = new AbortController();
  let child = start();
  const revive = async () => {
    if (stopping.signal.aborted) return;
    say(`Redis ended (${child.signalCode ?? `exit code ${child.exitCode}`}); restarting it`);
    await pause(jittered(RESTART_MS, [0, 1]), undefined, { signal: stopping.signal });
    child = start();
    keep();
  };
  const keep = () => {
    const ended = () => void revive().catch(() => {}); // fails if it is stopped during the wait
    if (hasEnded(child)) ended();
    else child.once('exit', ended);
  };
  const stop = async () => {
    stopping.abort();
    if (hasEnded(child)) return;
    const ended = once(child, 'close'); // includes the watcher, which holds the other end of its pipe
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  };
  return { child: () => child, keep, stop };
};

const answers = (requester: LinkedRequester): Promise<boolean> =>
  requester.request({ body: ['ping'] }).then(
    ({ result }) => result === 'PONG',
    () => false,
  );

const becomesReady = async (requester: LinkedRequester, child: ChildProcess, log: string) => {
  for (const end = performance.now() + READY_MS; !(await answers(requester)); await pause(20)) {
    if (!hasEnded(child) && performance.now() < end) continue;
    throw new Error(
      `Redis does not start; its log ${log} ends with:\n${readFileSync(log, 'utf8').trimEnd().split('\n').slice(-4).join('\n')}`,
    );
  }
};
