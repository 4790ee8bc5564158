import { spawnSync } from 'node:child_process';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import type { Machine } from '../../local/support/namespaces.ts';

const inside = (name: string, command: readonly string[], input?: string): void => {
  const done = spawnSync('ip', ['netns', 'exec', name, ...command], { encoding: 'utf8', input });
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stderr || done.error?.message}`);
};

const hasNft = () => spawnSync('nft', ['--version']).status === 0;

/** Why this machine cannot drop packets; null when it can. */
export const whyNoFaults = (): string | null => (hasNft() ? null : 'nft is not installed; Debian: apt-get install nftables');

/** Faults of the link at one machine, made by its packet filter, which drops packets silently. */
export const faultsOf = ({ name }: Machine) => {
  const rules = (input: string, output: string) =>
    inside(
      name,
      ['nft', '-f', '-'],
      `table inet cable {
         chain in { type filter hook input priority 0; iifname "cable" ${input}; }
         chain out { type filter hook output priority 0; oifname "cable" ${output}; }
       }`,
    );
  return {
    cut: (direction: 'in' | 'out' | 'both') => rules(direction === 'out' ? 'accept' : 'drop', direction === 'in' ? 'accept' : 'drop'),
    lose: (percent: number) => {
      const some = `numgen random mod 100 < ${percent} drop`;
      rules(some, some);
    },
    heal: () => inside(name, ['nft', 'delete', 'table', 'inet', 'cable']),
    moveTo: (from: string, to: string) => {
      inside(name, ['ip', 'address', 'del', `${from}/24`, 'dev', 'cable']);
      inside(name, ['ip', 'address', 'add', `${to}/24`, 'dev', 'cable']);
    },
  };
};

const RELAY = join(import.meta.dirname, 'relay.ts');

/** Lets this process, which is on neither machine, reach a port of one of them. It uses a Unix socket, since those belong to no network. */
export const reach = async (machine: Machine, port: number, folder: string): Promise<{ url: string; close: () => void }> => {
  const path = join(folder, 'server.sock');
  machine.start([RELAY, path, '127.0.0.1', String(port), '0']);
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const there = connect(path);
    for (const [from, to] of [
      [client, there],
      [there, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
};

/** A port of the machine with `delayMs` of extra latency in each direction. */
export const slowPort = (machine: Machine, port: number, delayMs: number): number => {
  machine.start([RELAY, String(port + 1), '127.0.0.1', String(port), String(delayMs)]);
  return port + 1;
};
