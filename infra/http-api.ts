import { Stack } from 'aws-cdk-lib';
import { AccessLogFormat, AccessLogField as field } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpRoute, HttpRouteKey, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { apiOf } from '../schema/route.ts';
import { allRoutes } from '../schema/routes.ts';
import { logGroup } from './function.ts';
import type { Functions } from './functions.ts';
import type { Settings } from './settings.ts';

/** Requests per second of all callers together. At 20 ms each, a steady 500 keep 10 PostgreSQL connections busy. */
const throttle = { rateLimit: 500, burstLimit: 1_000 };

/** Without query strings and headers, because they can contain secrets. */
const accessLog = AccessLogFormat.custom(
  JSON.stringify({
    request_id: field.contextRequestId(),
    time: field.contextRequestTimeEpoch(),
    ip: field.contextIdentitySourceIp(),
    method: field.contextHttpMethod(),
    route: '$context.routeKey',
    path: field.contextPath(),
    status: field.contextStatus(),
    bytes: field.contextResponseLength(),
    latency_ms: field.contextResponseLatency(),
    integration_error: '$context.integrationErrorMessage',
  }),
);

/** The HTTP API without its routes. CORS is handled by the Lambdas, so that it is the same in every installation. */
export const createHttpApi = (stack: Stack): HttpApi => {
  const api = new HttpApi(stack, 'HttpApi', { apiName: stack.stackName, createDefaultStage: false });
  new HttpStage(stack, 'HttpStage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle,
    accessLogSettings: { destination: new LogGroupLogDestination(logGroup(stack, 'AccessLogs')), format: accessLog },
  });
  return api;
};

/** Emulators have one address for all APIs. */
export const urlOf = (api: HttpApi, { emulator }: Settings): string =>
  emulator === null ? api.apiEndpoint : `${emulator}/_aws/execute-api/${api.apiId}/$default`;

// One permission for all routes of a Lambda: one for each would overflow its policy at about 30. It ends in */* and not in the
// */*/* of `scopePermissionToRoute: false`, which leaves out `$default`: the address of that route has no path.
class Integration extends HttpLambdaIntegration {
  constructor(id: string, target: LambdaFunction, api: HttpApi) {
    super(id, target);
    const sourceArn = Stack.of(api).formatArn({ service: 'execute-api', resource: api.apiId, resourceName: '*/*' });
    target.addPermission('HttpApi', { principal: new ServicePrincipal('apigateway.amazonaws.com'), sourceArn });
  }

  protected override completeBind() {}
}

/** Every contract is a route; unknown paths go to person-api, which returns a problem. */
export const addRoutes = (api: HttpApi, functions: Functions) => {
  const integrations = {
    'person-api': new Integration('PersonApi', functions['person-api'], api),
    'worker-api': new Integration('WorkerApi', functions['worker-api'], api),
  };
  for (const route of allRoutes)
    api.addRoutes({ path: route.path, methods: [HttpMethod[route.method]], integration: integrations[apiOf(route)] });
  new HttpRoute(api, 'DefaultRoute', { httpApi: api, routeKey: HttpRouteKey.DEFAULT, integration: integrations['person-api'] });
};
