import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccessLogFormat, CfnAccount, AccessLogField as field } from 'aws-cdk-lib/aws-apigateway';
import { LogGroupLogDestination, WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { addVariables } from './environment.ts';
import { allow, logGroup } from './function.ts';
import type { Functions } from './functions.ts';
import type { Settings } from './settings.ts';

export type SocketApi = { api: WebSocketApi; stage: WebSocketStage; url: string; endpoint: string };

/** New sockets and client messages per second, of all clients together. */
const throttle = { rateLimit: 500, burstLimit: 1_000 };

/** Without the query, because it contains the ticket. */
const accessLog = AccessLogFormat.custom(
  JSON.stringify({
    request_id: field.contextRequestId(),
    time: field.contextRequestTimeEpoch(),
    ip: field.contextIdentitySourceIp(),
    event: '$context.eventType',
    route: '$context.routeKey',
    connection: '$context.connectionId',
    status: field.contextStatus(),
    error: field.contextErrorMessage(),
    integration_error: '$context.integrationErrorMessage',
  }),
);

/**
 * WebSocket APIs write access logs with a role of the account, one per region, not of the API. It is kept when the stack is deleted,
 * because other APIs may depend on it.
 */
const loggingRole = (stack: Stack): CfnAccount => {
  const role = new Role(stack, 'SocketLogging', {
    assumedBy: new ServicePrincipal('apigateway.amazonaws.com'),
    managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonAPIGatewayPushToCloudWatchLogs')],
  });
  role.applyRemovalPolicy(RemovalPolicy.RETAIN);
  const account = new CfnAccount(stack, 'SocketLoggingAccount', { cloudWatchRoleArn: role.roleArn });
  account.applyRemovalPolicy(RemovalPolicy.RETAIN);
  return account;
};

/** Emulators have one address for all APIs. */
const addressesOf = (stage: WebSocketStage, { emulator }: Settings): Pick<SocketApi, 'url' | 'endpoint'> => {
  if (emulator === null) return { url: stage.url, endpoint: stage.callbackUrl };
  const endpoint = `${emulator}/_aws/execute-api/${stage.api.apiId}/${stage.stageName}`;
  return { url: endpoint.replace(/^http/, 'ws'), endpoint };
};

/** The WebSocket API without its routes. */
export const createSocketApi = (stack: Stack, settings: Settings): SocketApi => {
  const api = new WebSocketApi(stack, 'SocketApi', { apiName: `${stack.stackName}Sockets` });
  const stage = new WebSocketStage(stack, 'SocketStage', {
    webSocketApi: api,
    stageName: 'ws',
    autoDeploy: true,
    throttle,
    accessLogSettings: { destination: new LogGroupLogDestination(logGroup(stack, 'SocketAccessLogs')), format: accessLog },
  });
  stage.node.addDependency(loggingRole(stack));
  return { api, stage, ...addressesOf(stage, settings) };
};

/** All client messages go to `$default`; the message itself states what it wants. */
export const addSocketRoutes = ({ api }: SocketApi, socket: LambdaFunction) => {
  for (const route of ['$connect', '$disconnect', '$default'])
    api.addRoute(route, { integration: new WebSocketLambdaIntegration(`Socket${route.slice(1)}`, socket) });
};

/** Sends to open sockets, and closes them. */
const grantPush = (fn: LambdaFunction, { api, stage }: SocketApi) => {
  const resources = ['POST', 'DELETE'].map((method) =>
    Stack.of(api).formatArn({
      service: 'execute-api',
      resource: api.apiId,
      resourceName: `${stage.stageName}/${method}/@connections/*`,
    }),
  );
  allow(fn, ['execute-api:ManageConnections'], ...resources);
};

/** The APIs send nothing, but issue tickets only if push is available. The tick itself does the work for which there is no queue. */
export const grantSockets = (functions: Functions, sockets: SocketApi) => {
  const { 'person-api': personApi, 'worker-api': workerApi, socket, dispatch, broadcast, tick } = functions;
  for (const fn of [socket, dispatch, broadcast, tick]) grantPush(fn, sockets);
  for (const fn of [personApi, workerApi, socket, dispatch, broadcast, tick]) addVariables(fn, { SOCKET_ENDPOINT: sockets.endpoint });
};
