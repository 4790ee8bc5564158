import { Duration, type Stack } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as Target } from 'aws-cdk-lib/aws-events-targets';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';

/** The tick runs each minute, the shortest interval of EventBridge. Concurrent ticks are harmless, so no concurrency is reserved. */
export const everyMinute = (stack: Stack, tick: LambdaFunction) => {
  new Rule(stack, 'EveryMinute', {
    schedule: Schedule.rate(Duration.minutes(1)),
    targets: [new Target(tick, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
  });
};
