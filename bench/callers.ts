import { randomUUID } from 'node:crypto';
import { percentile } from './figures.ts';
import { send, type Sent } from './http.ts';

const CALLERS = 100;
/** Items of a list: one screen. */
const PAGE = 20;

export type Target = { url: string; adminKey: string };
export type Load = { rate: number; p95: number };
/** Returns the next request of a caller. */
type Next = () => Sent;

const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)] as T;

/** The requests of 100 concurrent callers. A submit has an Idempotency-Key, as in the published client. */
export const requestsOf = ({ url, adminKey: token }: Target, taskIds: readonly string[]): Record<string, Next> => ({
  'submit one subtask': () => ({
    method: 'POST',
    url: `${url}/api/v1/tasks`,
    token,
    body: { goal: 'submitted by one of a hundred' },
    headers: { 'idempotency-key': randomUUID() },
  }),
  'get a task': () => ({ method: 'GET', url: `${url}/api/v1/tasks/${pick(taskIds)}`, token }),
  [`list ${PAGE} tasks`]: () => ({ method: 'GET', url: `${url}/api/v1/tasks?limit=${PAGE}`, token }),
  'subtasks of a task': () => ({ method: 'GET', url: `${url}/api/v1/tasks/${pick(taskIds)}/subtasks`, token }),
});

/** Lets 100 callers send requests, each one after the other, until `total` are answered. */
export const callTogether = async (next: Next, total: number): Promise<Load> => {
  const times: number[] = [];
  let left = total;
  const started = performance.now();
  const call = async () => {
    while (left-- > 0) {
      const sentAt = performance.now();
      await send(next());
      times.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
  return { rate: total / ((performance.now() - started) / 1_000), p95: percentile(times, 95) };
};
