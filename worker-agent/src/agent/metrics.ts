import type { ReleaseCode } from '../attempt/job-context.ts';
import type { Fields, Log } from './worker-log.ts';

type Counter = {
  name: string;
  help: string;
  /** How much a log line adds to the counter; 0 when it does not concern the counter. */
  adds(event: string, fields: Fields): number;
  /** Counts each value of this field separately, under a label. */
  by?: { label: string; field: string };
};
export type Gauge = { name: string; help: string; value: number | null; labels?: Record<string, string> };

const each =
  (...events: string[]) =>
  (event: string): number =>
    events.includes(event) ? 1 : 0;

const LEASE_AT_RISK: ReleaseCode = 'lease_at_risk';

/** A heartbeat reported the loss, the platform refused a request because of it, or the worker gave up the lease as a precaution. */
const isLeaseLoss = (event: string, { reason, code }: Fields): boolean =>
  event === 'subtask.lease-lost' ||
  (event === 'subtask.dropped' && (reason === 'lease_lost' || reason === 'attempt_ended')) ||
  (event === 'subtask.released' && code === LEASE_AT_RISK);

/** Each counter counts log lines, so that metrics and log always agree. */
const COUNTERS: readonly Counter[] = [
  { name: 'claims', help: 'Claimed subtasks', adds: each('subtask.claimed') },
  { name: 'completions', help: 'Completed subtasks', adds: each('subtask.completed') },
  { name: 'failures', help: 'Failed attempts', adds: each('subtask.failed'), by: { label: 'class', field: 'failure_class' } },
  { name: 'releases', help: 'Released subtasks', adds: each('subtask.released') },
  { name: 'lease_losses', help: 'Attempts whose lease was lost', adds: (event, fields) => Number(isLeaseLoss(event, fields)) },
  {
    name: 'retries',
    help: 'Failed requests that are sent again',
    adds: each('request.retried', 'request.failed'),
    by: { label: 'operation', field: 'operation' },
  },
  {
    name: 'log_dropped_bytes',
    help: 'Bytes of output dropped because of the log limit',
    adds: (event, { bytes }) => (event === 'logs.dropped' ? Number(bytes ?? 0) : 0),
  },
];

const quoted = (value: string): string => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

const labelled = (labels: Record<string, string>): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${quoted(value)}`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

const family = (name: string, type: 'counter' | 'gauge', help: string, samples: readonly [Record<string, string>, number][]): string =>
  [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.map(([labels, value]) => `${name}${labelled(labels)} ${value}`)].join(
    '\n',
  );

/** The worker's counters since its start, in the Prometheus text format. */
export class Metrics {
  readonly #counted = COUNTERS.map((counter) => ({ counter, counts: new Map<string, number>(counter.by ? [] : [['', 0]]) }));

  /** Wraps a log so that its lines are counted. */
  counting(log: Log): Log {
    return (level, event, fields = {}) => {
      this.#count(event, fields);
      log(level, event, fields);
    };
  }

  #count(event: string, fields: Fields): void {
    for (const { counter, counts } of this.#counted) {
      const amount = counter.adds(event, fields);
      const key = counter.by ? String(fields[counter.by.field] ?? 'unknown') : '';
      if (amount > 0) counts.set(key, (counts.get(key) ?? 0) + amount);
    }
  }

  text(gauges: readonly Gauge[]): string {
    const counted = this.#counted.map(({ counter: { name, help, by }, counts }) =>
      family(
        `maw_worker_${name}_total`,
        'counter',
        help,
        [...counts].map(([key, count]) => [by ? { [by.label]: key } : {}, count]),
      ),
    );
    const shown = gauges.flatMap(({ name, help, value, labels = {} }) =>
      value === null ? [] : [family(`maw_worker_${name}`, 'gauge', help, [[labels, value]])],
    );
    return `${[...counted, ...shown].join('\n')}\n`;
  }
}
