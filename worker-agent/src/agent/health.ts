import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PRODUCT } from '../../../schema/product.ts';
import type { Gauge, Metrics } from './metrics.ts';
import type { SpoolState } from '../report/spool/spool.ts';

/** What a worker knows of itself just now. */
export type AgentStatus = {
  running: number;
  slots: number;
  isDraining: boolean;
  isRevoked: boolean;
  /** Since the platform last answered a heartbeat; null before the first answer. */
  heartbeatAgeMs: number | null;
  /** From which age of a heartbeat on the platform counts as out of reach. */
  heartbeatLimitMs: number;
  /** What waits on the disk for the platform. */
  spool: SpoolState;
};

/** Why the worker would not take work just now; empty when it would. */
export const reasonsAgainst = (status: AgentStatus): string[] => {
  const { isDraining, isRevoked, heartbeatAgeMs, heartbeatLimitMs, spool } = status;
  if (isRevoked) return ['the platform removed this worker'];
  const reasons: string[] = [];
  if (isDraining) reasons.push('it drains');
  if (heartbeatAgeMs === null) reasons.push('the platform has not answered yet');
  else if (heartbeatAgeMs > heartbeatLimitMs) reasons.push(`the platform has not answered for ${Math.round(heartbeatAgeMs / 1_000)} s`);
  if (spool.error !== null) reasons.push(`its disk takes no results or no workspaces: ${spool.error}`);
  return reasons;
};

const gaugesOf = (status: AgentStatus): Gauge[] => {
  const { running, slots, heartbeatAgeMs } = status;
  return [
    { name: 'info', help: 'The version that runs', value: 1, labels: { version: PRODUCT.version, node: process.versions.node } },
    { name: 'ready', help: '1 when it would take work', value: Number(reasonsAgainst(status).length === 0) },
    { name: 'running', help: 'Subtasks that run', value: running },
    { name: 'spool_entries', help: 'What waits on the disk for the platform', value: status.spool.entries },
    { name: 'spool_bytes', help: 'Its size', value: status.spool.bytes },
    { name: 'slots', help: 'How many may run at once', value: slots },
    {
      name: 'heartbeat_age_seconds',
      help: 'Since the platform last answered a heartbeat',
      value: heartbeatAgeMs === null ? null : heartbeatAgeMs / 1_000,
    },
  ];
};

const send = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
};

export type HealthOptions = { port: number; status: () => AgentStatus; metrics: Metrics };

const answer = (path: string, response: ServerResponse, { status, metrics }: HealthOptions): void => {
  if (path === '/livez') return send(response, 200, 'text/plain', 'alive\n');
  if (path === '/metrics') return send(response, 200, 'text/plain; version=0.0.4', metrics.text(gaugesOf(status())));
  if (path !== '/readyz') return send(response, 404, 'text/plain', 'there are /livez, /readyz and /metrics\n');
  const reasons = reasonsAgainst(status());
  send(response, reasons.length === 0 ? 200 : 503, 'application/json', `${JSON.stringify({ ready: reasons.length === 0, reasons })}\n`);
};

/** Tells this machine, and no other, how the worker is; answers how to end that. */
export const serveHealth = async (options: HealthOptions): Promise<{ port: number; close: () => void }> => {
  const server = createServer((request, response) => answer((request.url ?? '').split('?')[0] ?? '', response, options));
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  // It must not keep a worker that has ended its work.
  server.unref();
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
};
