import { type Stack, Validations } from 'aws-cdk-lib';
import type { DataStack } from './stack.ts';

const SOCKETS = 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<SocketApiAB7361AA>/ws';
const FILES = 'MultiAgentOnTheWebData:ExportsOutputFnGetAttArtifacts82DD59A1Arn3B515032/*';
const LOGGING = 'arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs';
const CONNECTIONS = 'The names of connections are created at run time; only this API is included';

/** Findings of cdk-nag that are accepted, with their reasons. */
const DATA: Record<string, string> = {
  'AwsSolutions-S1': 'Artifacts are reached by URLs that a Lambda signs for one file and 15 minutes, and logs',
  'AwsSolutions-SMG4':
    'Rotation requires a deploy: the key signs credentials that are valid for 90 days, and the API revokes the admin key',
};
const DATABASE: Record<string, string> = {
  'AwsSolutions-RDS2': 'A cluster with this configuration is always encrypted with an AWS key',
  'AwsSolutions-RDS6': 'A cluster with this configuration admits IAM only',
  'AwsSolutions-RDS11': 'It has no network of its own, so no port can be chosen',
  'CloudFormation-Validate::F3002': 'The schema of the check does not know this property yet',
};
const APP: Record<string, string> = {
  'AwsSolutions-APIG4':
    'The handlers authorize requests according to the contracts, with keys, credentials and tickets that are in the database',
  [`AwsSolutions-IAM4[Policy::${LOGGING}]`]: 'API Gateway writes access logs with this role, for which AWS offers only this policy',
  [`AwsSolutions-IAM5[Resource::${SOCKETS}/POST/@connections/*]`]: CONNECTIONS,
  [`AwsSolutions-IAM5[Resource::${SOCKETS}/DELETE/@connections/*]`]: CONNECTIONS,
  [`AwsSolutions-IAM5[Resource::${FILES}]`]: 'The names of artifacts are created at run time; only this bucket is included',
};

const FLEET: Record<string, string> = {
  'AwsSolutions-VPC7': 'There is no inbound traffic, and outbound traffic comes from tools, whose output the platform keeps',
  'AwsSolutions-EC26': 'The one volume of a machine is encrypted; the check cannot read the launch template',
  'AwsSolutions-AS3': 'The number of machines follows the work; the load shows a fleet that does not keep up',
};

export const acknowledge = (data: DataStack, app: Stack, fleet: Stack | null) => {
  for (const [stack, findings] of [
    [data, data.database === null ? DATA : { ...DATA, ...DATABASE }],
    [app, APP],
    ...(fleet ? [[fleet, FLEET] as const] : []),
  ] as const)
    for (const [id, reason] of Object.entries(findings)) Validations.of(stack).acknowledge({ id, reason });
};
