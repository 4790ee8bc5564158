import { Duration, type Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Functions } from './functions.ts';
import type { Queues } from './queues.ts';

const period = Duration.minutes(1);
const sum = { period, statistic: 'Sum' };

const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 12, height: 6 });

const ofApi = (api: HttpApi) => [
  graph('Requests', [api.metricCount(sum), api.metricClientError(sum), api.metricServerError(sum)]),
  graph(
    'Latency (ms)',
    ['p50', 'p95', 'p99'].map((statistic) => api.metricLatency({ period, statistic, label: statistic })),
  ),
];

const ofQueues = ({ subtasks, events }: Queues) => {
  const pairs = Object.entries({ subtasks, events });
  return [
    graph(
      'Messages waiting',
      pairs.map(([label, { queue }]) => queue.metricApproximateNumberOfMessagesVisible({ period, label })),
    ),
    graph(
      'Dead letters',
      pairs.map(([label, { dead }]) => dead.metricApproximateNumberOfMessagesVisible({ period, label })),
    ),
  ];
};

const ofFunctions = (functions: Functions) => {
  const ofEach = (title: string, metricOf: (fn: Functions[keyof Functions], label: string) => IMetric) =>
    graph(
      title,
      Object.entries(functions).map(([label, fn]) => metricOf(fn, label)),
    );
  return [
    [
      ofEach('Lambda: calls', (fn, label) => fn.metricInvocations({ ...sum, label })),
      ofEach('Lambda: errors', (fn, label) => fn.metricErrors({ ...sum, label })),
    ],
    [
      ofEach('Lambda: time (p95, ms)', (fn, label) => fn.metricDuration({ period, statistic: 'p95', label })),
      ofEach('Lambda: at once', (fn, label) => fn.metric('ConcurrentExecutions', { period, statistic: 'Maximum', label })),
    ],
  ];
};

/** The first place to look when something is wrong. */
export const createDashboard = (stack: Stack, { functions, queues, api }: { functions: Functions; queues: Queues; api: HttpApi }) => {
  const dashboard = new Dashboard(stack, 'Dashboard', { defaultInterval: Duration.hours(3) });
  for (const row of [ofApi(api), ofQueues(queues), ...ofFunctions(functions)]) dashboard.addWidgets(...row);
};
