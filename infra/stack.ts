import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { PRODUCT } from '../schema/product.ts';
import { environment } from './environment.ts';
import { createFunctions, type Functions } from './functions.ts';
import { addRoutes, createHttpApi } from './http-api.ts';
import { everyMinute } from './schedule.ts';
import type { Settings } from './settings.ts';

/** The platform on AWS, in front of a Postgres that it reaches by a URL. The deploy decides on account and region. */
export class PlatformStack extends Stack {
  readonly functions: Functions;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, { description: `${PRODUCT.app} ${PRODUCT.version}`, analyticsReporting: false });
    const api = createHttpApi(this);
    this.functions = createFunctions(this, environment(this, settings, api.apiEndpoint));
    addRoutes(api, this.functions);
    everyMinute(this, this.functions.tick);
    new CfnOutput(this, 'ApiUrl', { value: api.apiEndpoint });
  }
}
