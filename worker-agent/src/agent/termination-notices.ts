import { setTimeout as pause } from 'node:timers/promises';

/** Why the machine will be taken away, and how long it is there still for certain, or null where that is open. */
export type Notice = { reason: string; leftMs: number | null };

/** As EC2 advises. */
const EVERY_MS = 5_000;
const ANSWER_MS = 2_000;
const TOKEN_SECONDS = 21_600;

type Kind = { path: string; value?: string; notice: Notice };

const KINDS: readonly Kind[] = [
  // Two minutes before, of which looking and answering take some.
  { path: 'spot/instance-action', notice: { reason: 'the spot instance is to be interrupted', leftMs: 110_000 } },
  { path: 'events/recommendations/rebalance', notice: { reason: 'the spot instance is likely to be interrupted', leftMs: null } },
  // Known of every machine of a group; a lifecycle hook of the group says how long it waits.
  { path: 'autoscaling/target-lifecycle-state', value: 'Terminated', notice: { reason: 'the group takes the machine away', leftMs: null } },
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

/** Asks the metadata service of the machine (EC2, IMDSv2) until the signal; reports each notice once. */
export const watchNotices = async (
  url: string,
  { signal, onNotice, everyMs = EVERY_MS }: { signal: AbortSignal; onNotice(notice: Notice): void; everyMs?: number },
): Promise<void> => {
  const reported = new Set<string>();
  while (!signal.aborted) {
    // An unavailable service says nothing of the machine's end.
    for (const notice of await look(url, signal).catch(() => [])) {
      if (reported.has(notice.reason)) continue;
      reported.add(notice.reason);
      onNotice(notice);
    }
    await pause(everyMs, undefined, { signal, ref: false }).catch(() => {});
  }
};
