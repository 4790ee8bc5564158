import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PRODUCT } from '../../../schema/product.ts';
import type { Gauge, Metrics } from './metrics.ts';
import type { SpoolState } from '../report/spool/spool.ts';

/** The current state of a worker. */
export type AgentStatus = {
  running: number;
  slots: number;
  isDraining: boolean;
  isRevoked: boolean;
  /** Time since the platform last answered a heartbeat; null before the first answer. */
  heartbeatAgeMs: number | null;
  /** When the last answer is older than this, the platform counts as unreachable. */
  heartbeatLimitMs: number;
  /** What is stored on the disk until the platform answers. */
  spool: SpoolState;
};

/** Why the worker does not accept work at the moment; empty when it does. */
export const reasonsAgainst = (status: AgentStatus): string[] => {
  const { isDraining, isRevoked, heartbeatAgeMs, heartbeatLimitMs, spool } = status;
  if (isRevoked) return ['the platform removed this worker'];
  const reasons: string[] = [];
  if (isDraining) reasons.push('the worker is draining');
  if (heartbeatAgeMs === null) reasons.push('the platform has not answered yet');
  else if (heartbeatAgeMs > heartbeatLimitMs) reasons.push(`the platform has not answered for ${Math.round(heartbeatAgeMs / 1_000)} s`);
  if (spool.error !== null) reasons.push(`its disk cannot store results or workspaces: ${spool.error}`);
  return reasons;
};

const gaugesOf = (status: AgentStatus): Gauge[] => {
  const { running, slots, heartbeatAgeMs } = status;
  return [
    { name: 'info', help: 'The running version', value: 1, labels: { version: PRODUCT.version, node: process.versions.node } },
    { name: 'ready', help: '1 when the worker accepts work', value: Number(reasonsAgainst(status).length === 0) },
    { name: 'running', help: 'Running subtasks', value: running },
    { name: 'spool_entries', help: 'Entries on the disk that the platform has not received yet', value: status.spool.entries },
    { name: 'spool_bytes', help: 'Size of these entries in bytes', value: status.spool.bytes },
    { name: 'slots', help: 'How many subtasks may run at once', value: slots },
    {
      name: 'heartbeat_age_seconds',
      help: 'Seconds since the platform last answered a heartbeat',
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
  if (path !== '/readyz') return send(response, 404, 'text/plain', 'not found; available: /livez, /readyz and /metrics\n');
  const reasons = reasonsAgainst(status());
  send(response, reasons.length === 0 ? 200 : 503, 'application/json', `${JSON.stringify({ ready: reasons.length === 0, reasons })}\n`);
};

/** Serves the worker's health and metrics, reachable from this machine only. Returns the port and a function that closes the server. */
export const serveHealth = async (options: HealthOptions): Promise<{ port: number; close: () => void }> => {
  const server = createServer((request, response) => answer((request.url ?? '').split('?')[0] ?? '', response, options));
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  // The server must not keep the process running when the worker has finished.
  server.unref();
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, close };
};
