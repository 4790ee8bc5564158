import type { ReleaseCode } from '../attempt/job-context.ts';
import type { Fields, Log } from './worker-log.ts';

type Counter = {
  name: string;
  help: string;
  /** How much a line of the log adds; 0 when it has nothing to do with this. */
  adds(event: string, fields: Fields): number;
  /** Counted for each value of this field, under a label. */
  by?: { label: string; field: string };
};
export type Gauge = { name: string; help: string; value: number | null; labels?: Record<string, string> };

const each =
  (...events: string[]) =>
  (event: string): number =>
    events.includes(event) ? 1 : 0;

const LEASE_AT_RISK: ReleaseCode = 'lease_at_risk';

/** Told by a heartbeat or by the refusal of what was sent, or feared by the worker itself. */
const isLeaseLoss = (event: string, { reason, code }: Fields): boolean =>
  event === 'subtask.lease-lost' ||
  (event === 'subtask.dropped' && (reason === 'lease_lost' || reason === 'attempt_ended')) ||
  (event === 'subtask.released' && code === LEASE_AT_RISK);

/** Each counts lines of the log, so that the two never tell different things. */
const COUNTERS: readonly Counter[] = [
  { name: 'claims', help: 'Subtasks that were claimed', adds: each('subtask.claimed') },
  { name: 'completions', help: 'Subtasks that were completed', adds: each('subtask.completed') },
  { name: 'failures', help: 'Attempts that failed', adds: each('subtask.failed'), by: { label: 'class', field: 'failure_class' } },
  { name: 'releases', help: 'Subtasks that were given back', adds: each('subtask.released') },
  { name: 'lease_losses', help: 'Attempts whose lease was lost', adds: (event, fields) => Number(isLeaseLoss(event, fields)) },
  {
    name: 'retries',
    help: 'Requests that failed and are repeated',
    adds: each('request.retried', 'request.failed'),
    by: { label: 'operation', field: 'operation' },
  },
  {
    name: 'log_dropped_bytes',
    help: 'Output that was not kept',
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

/** What a worker has done since it started, as Prometheus reads it. */
export class Metrics {
  readonly #counted = COUNTERS.map((counter) => ({ counter, counts: new Map<string, number>(counter.by ? [] : [['', 0]]) }));

  /** The same log, whose lines are counted. */
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
