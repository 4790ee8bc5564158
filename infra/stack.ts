import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { PRODUCT } from '../schema/product.ts';
import { environment } from './environment.ts';
import { createFunctions, type Functions } from './functions.ts';
import { addRoutes, createHttpApi, urlOf } from './http-api.ts';
import { consumeQueue, createQueues } from './queues.ts';
import { grantRights } from './rights.ts';
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
    const addresses = { apiUrl, socketUrl: sockets.url, socketEndpoint: sockets.endpoint, queues };
    this.functions = createFunctions(this, environment(this, settings, addresses));
    grantRights(this.functions, queues, sockets);
    addRoutes(api, this.functions);
    addSocketRoutes(sockets, this.functions.socket);
    consumeQueue(this.functions.dispatch, queues.subtasks);
    consumeQueue(this.functions.broadcast, queues.events);
    everyMinute(this, this.functions.tick);
    new CfnOutput(this, 'ApiUrl', { value: apiUrl });
    new CfnOutput(this, 'SocketUrl', { value: sockets.url });
  }
}
