import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

const ip = (...args: string[]): string | null => {
  const done = spawnSync('ip', args, { encoding: 'utf8' });
  return done.status === 0 ? null : (done.stderr || done.error?.message || `exit code ${done.status}`).trim();
};

const must = (...args: string[]) => {
  const fault = ip(...args);
  if (fault !== null) throw new Error(`ip ${args.join(' ')}: ${fault}`);
};

/** Why no network namespaces can be created here; null if they can. */
export const whyNoNamespaces = (): string | null => {
  const name = `maw-probe-${process.pid}`;
  const fault = ip('netns', 'add', name) ?? ip('-n', name, 'link', 'add', 'probe', 'type', 'veth');
  ip('netns', 'del', name);
  return fault;
};

export type Machine = {
  /** The name of its network namespace. */
  name: string;
  address: string;
  /** Starts Node in it, and returns at once. */
  start(args: readonly string[], env?: Record<string, string>): { child: ChildProcess; output: () => string };
  /** Runs Node in it to its end; returns its output, or throws if it failed. */
  run(args: readonly string[], env?: Record<string, string>): Promise<string>;
};

/** Two network namespaces connected only by a virtual cable. */
export const twoMachines = (): [Machine, Machine] => {
  const names = [`maw-${process.pid}-a`, `maw-${process.pid}-b`] as const;
  const children: ChildProcess[] = [];
  onTestFinished(async () => {
    await Promise.all(children.map(end));
    for (const name of names) ip('netns', 'del', name);
  });
  for (const name of names) must('netns', 'add', name);
  must('-n', names[0], 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', names[1]);
  const machines = names.map((name, at) => {
    const address = `10.231.47.${at + 1}`;
    must('-n', name, 'address', 'add', `${address}/24`, 'dev', 'cable');
    for (const device of ['lo', 'cable']) must('-n', name, 'link', 'set', device, 'up');
    return machine(name, address, children);
  });
  return machines as [Machine, Machine];
};

const end = async (child: ChildProcess) => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
};

const machine = (name: string, address: string, children: ChildProcess[]): Machine => {
  const start: Machine['start'] = (args, env = {}) => {
    const child = spawn('ip', ['netns', 'exec', name, process.execPath, ...args], { cwd: ROOT, env: { ...process.env, ...env } });
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return { child, output: () => output };
  };
  return {
    name,
    address,
    start,
    run: async (args, env) => {
      const { child, output } = start(args, env);
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${output()}`);
      return output();
    },
  };
};
