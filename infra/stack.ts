import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { PRODUCT } from '../schema/product.ts';
import { createArtifacts, urlOfBucket } from './artifacts.ts';
import { environment } from './environment.ts';
import { createFunctions, type Functions } from './functions.ts';
import { addRoutes, createHttpApi, urlOf } from './http-api.ts';
import { consumeQueue, createQueues } from './queues.ts';
import { grantArtifacts, grantRights } from './rights.ts';
import { everyMinute } from './schedule.ts';
import type { Settings } from './settings.ts';
import { addSocketRoutes, createSocketApi } from './socket-api.ts';

/** The platform on AWS, in front of a Postgres that it reaches by a URL. The deploy decides on account and region. */
export class PlatformStack extends Stack {
  readonly functions: Functions;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, { description: `${PRODUCT.app} ${PRODUCT.version}`, analyticsReporting: false });
    const api = createHttpApi(this);
    const apiUrl = urlOf(api, settings);
    const sockets = createSocketApi(this, settings);
    const queues = createQueues(this, settings);
    const artifacts = createArtifacts(this, settings);
    const artifactsUrl = urlOfBucket(artifacts, settings);
    const addresses = { artifactsUrl, apiUrl, socketUrl: sockets.url, socketEndpoint: sockets.endpoint, queues };
    this.functions = createFunctions(this, environment(this, settings, addresses));
    grantRights(this.functions, queues, sockets);
    grantArtifacts(this.functions, artifacts);
    addRoutes(api, this.functions);
    addSocketRoutes(sockets, this.functions.socket);
    consumeQueue(this.functions.dispatch, queues.subtasks);
    consumeQueue(this.functions.broadcast, queues.events);
    everyMinute(this, this.functions.tick);
    new CfnOutput(this, 'ApiUrl', { value: apiUrl });
    new CfnOutput(this, 'SocketUrl', { value: sockets.url });
    for (const [name, { queue, dead }] of [
      ['Subtasks', queues.subtasks],
      ['Events', queues.events],
    ] as const) {
      new CfnOutput(this, `${name}QueueUrl`, { value: queue.queueUrl });
      new CfnOutput(this, `${name}DeadQueueUrl`, { value: dead.queueUrl });
    }
  }
}
