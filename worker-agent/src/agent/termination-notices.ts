import { setTimeout as pause } from 'node:timers/promises';

/** Why the machine will be terminated, and the time that it certainly still has, or null if unknown. */
export type Notice = { reason: string; leftMs: number | null };

/** The interval that EC2 recommends. */
const EVERY_MS = 5_000;
const ANSWER_MS = 2_000;
const TOKEN_SECONDS = 21_600;

type Kind = { path: string; value?: string; notice: Notice };

const KINDS: readonly Kind[] = [
  // EC2 announces it two minutes before; polling and the answer take some of them.
  { path: 'spot/instance-action', notice: { reason: 'the spot instance is to be interrupted', leftMs: 110_000 } },
  { path: 'events/recommendations/rebalance', notice: { reason: 'the spot instance is likely to be interrupted', leftMs: null } },
  // Every machine of an Auto Scaling group has this path; a lifecycle hook of the group defines how long the group waits.
  {
    path: 'autoscaling/target-lifecycle-state',
    value: 'Terminated',
    notice: { reason: 'the Auto Scaling group terminates the machine', leftMs: null },
  },
];

const request = async (url: string, method: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> => {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const response = await fetch(url, { method, headers, signal: limit, redirect: 'error' });
  if (response.status !== 404 && !response.ok) throw new Error(`${url} answered ${response.status}`);
  return response;
};

const look = async (url: string, signal: AbortSignal): Promise<Notice[]> => {
  const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS) };
  const token = await (await request(`${url}/latest/api/token`, 'PUT', ttl, signal)).text();
  const has = async ({ path, value }: Kind): Promise<boolean> => {
    const response = await request(`${url}/latest/meta-data/${path}`, 'GET', { 'x-aws-ec2-metadata-token': token }, signal);
    const text = await response.text();
    return response.ok && (value === undefined || text.trim() === value);
  };
  const found = await Promise.all(KINDS.map(has));
  return KINDS.filter((_, at) => found[at]).map(({ notice }) => notice);
};

/** Polls the machine's metadata service (EC2, IMDSv2) until the signal aborts. Reports each notice once. */
export const watchNotices = async (
  url: string,
  { signal, onNotice, everyMs = EVERY_MS }: { signal: AbortSignal; onNotice(notice: Notice): void; everyMs?: number },
): Promise<void> => {
  const reported = new Set<string>();
  while (!signal.aborted) {
    // If the service is unavailable, nothing is known about a termination.
    for (const notice of await look(url, signal).catch(() => [])) {
      if (reported.has(notice.reason)) continue;
      reported.add(notice.reason);
      onNotice(notice);
    }
    await pause(everyMs, undefined, { signal, ref: false }).catch(() => {});
  }
};
