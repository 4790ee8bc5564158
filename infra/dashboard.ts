import { Duration, type Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Functions } from './functions.ts';
import type { Queues } from './queues.ts';

const period = Duration.minutes(1);
const sum = { period, statistic: 'Sum' };

const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 12, height: 6 });

/** The first place to look when something is wrong. */
export const createDashboard = (
  stack: Stack,
  { functions, queues: { subtasks, events }, api }: { functions: Functions; queues: Queues; api: HttpApi },
) => {
  const all = Object.entries(functions);
  const pairs = Object.entries({ subtasks, events });
  const dashboard = new Dashboard(stack, 'Dashboard', { defaultInterval: Duration.hours(3) });
  dashboard.addWidgets(
    graph('Requests', [api.metricCount(sum), api.metricClientError(sum), api.metricServerError(sum)]),
    graph(
      'Latency (ms)',
      ['p50', 'p95', 'p99'].map((statistic) => api.metricLatency({ period, statistic, label: statistic })),
    ),
  );
  dashboard.addWidgets(
    graph(
      'Messages waiting',
      pairs.map(([label, { queue }]) => queue.metricApproximateNumberOfMessagesVisible({ period, label })),
    ),
    graph(
      'Dead letters',
      pairs.map(([label, { dead }]) => dead.metricApproximateNumberOfMessagesVisible({ period, label })),
    ),
  );
  dashboard.addWidgets(
    graph(
      'Lambda: calls',
      all.map(([label, fn]) => fn.metricInvocations({ ...sum, label })),
    ),
    graph(
      'Lambda: errors',
      all.map(([label, fn]) => fn.metricErrors({ ...sum, label })),
    ),
  );
  dashboard.addWidgets(
    graph(
      'Lambda: time (p95, ms)',
      all.map(([label, fn]) => fn.metricDuration({ period, statistic: 'p95', label })),
    ),
    graph(
      'Lambda: at once',
      all.map(([label, fn]) => fn.metric('ConcurrentExecutions', { period, statistic: 'Maximum', label })),
    ),
  );
};
