import { Duration, type Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Functions } from './functions.ts';
import type { Queues } from './queues.ts';
import type { Settings } from './settings.ts';

type Watched = { functions: Functions; queues: Queues; api: HttpApi; settings: Settings };
type Spec = {
  id: string;
  /** The description for the person on call. */
  description: string;
  /** A heading of docs/runbook.md. */
  runbook: string;
  metric: IMetric;
  threshold: number;
  /** The number of consecutive periods. */
  periods?: number;
  /** Fires if the value is too low or missing. */
  below?: boolean;
};

const period = Duration.minutes(5);
const sum = { period, statistic: 'Sum' };
const most = { period, statistic: 'Maximum' };

const ofQueues = ({ subtasks, events }: Queues): Spec[] =>
  Object.entries({ Subtasks: subtasks, Events: events }).flatMap(([name, { queue, dead }]) => [
    {
      id: `${name}DeadLetters`,
      description: `Messages of the queue ${name.toLowerCase()} are in its dead-letter queue.`,
      runbook: 'dead-letters',
      metric: dead.metricApproximateNumberOfMessagesVisible(most),
      threshold: 1,
    },
    {
      id: `${name}Late`,
      description: `A message of the queue ${name.toLowerCase()} has waited for more than 5 minutes.`,
      runbook: 'a-queue-falls-behind',
      metric: queue.metricApproximateAgeOfOldestMessage(most),
      threshold: 300,
      periods: 2,
    },
  ]);

const ofFunctions = (functions: Functions): Spec[] =>
  Object.entries(functions).flatMap(([name, fn]) => {
    const id = name.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());
    return [
      {
        id: `${id}Errors`,
        description: `The Lambda ${name} fails.`,
        runbook: 'a-lambda-fails',
        metric: fn.metricErrors(sum),
        threshold: name === 'migrate' ? 1 : 3, // it runs once per deploy
      },
      {
        id: `${id}Throttled`,
        description: `Calls of the Lambda ${name} are throttled: the account has reached its concurrency limit.`,
        runbook: 'a-lambda-is-throttled',
        metric: fn.metricThrottles(sum),
        threshold: 1,
        periods: 2,
      },
    ];
  });

const ofClock = ({ tick }: Functions): Spec => ({
  id: 'TickStopped',
  description: 'The tick has not run for 10 minutes: expired leases are not detected.',
  runbook: 'the-tick-has-stopped',
  metric: tick.metricInvocations(sum),
  threshold: 1,
  periods: 2,
  below: true,
});

const ofApi = (api: HttpApi): Spec[] => [
  { id: 'ApiFails', description: 'Requests fail with 5xx.', runbook: 'requests-fail', metric: api.metricServerError(sum), threshold: 10 },
  {
    id: 'ApiSlow',
    description: 'One request in a hundred takes longer than 3 seconds.',
    runbook: 'requests-are-slow',
    metric: api.metricLatency({ period, statistic: 'p99' }),
    threshold: 3_000,
    periods: 3,
  },
];

const create = (stack: Stack, { id, description, runbook, metric, threshold, periods = 1, below = false }: Spec): Alarm =>
  new Alarm(stack, `${id}Alarm`, {
    metric,
    threshold,
    evaluationPeriods: periods,
    comparisonOperator: below ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    treatMissingData: below ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    alarmDescription: `${description} What to do: docs/runbook.md#${runbook}`,
  });

/** Each alarm describes the fault and names the heading of the runbook with the remedy. */
export const createAlarms = (stack: Stack, { functions, queues, api, settings }: Watched) => {
  const specs = [...ofQueues(queues), ...ofFunctions(functions), ofClock(functions), ...ofApi(api)];
  const alarms = specs.map((spec) => create(stack, spec));
  if (settings.alarmEmail === null) return;
  const topic = new Topic(stack, 'AlarmTopic', { enforceSSL: true });
  topic.addSubscription(new EmailSubscription(settings.alarmEmail));
  for (const alarm of alarms) {
    alarm.addAlarmAction(new SnsAction(topic));
    alarm.addOkAction(new SnsAction(topic));
  }
};
