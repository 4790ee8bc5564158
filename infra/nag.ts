import { type Stack, Validations } from 'aws-cdk-lib';
import type { DataStack } from './stack.ts';

const SOCKETS = 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<SocketApiAB7361AA>/ws';
const FILES = 'MultiAgentOnTheWebData:ExportsOutputFnGetAttArtifacts82DD59A1Arn3B515032/*';
const LOGGING = 'arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs';
const CONNECTIONS = 'A connection has its name only when it is there; those of this API alone are meant';

/** Findings of cdk-nag that are accepted, with their reasons. */
const DATA: Record<string, string> = {
  'AwsSolutions-S1': 'Files are reached by addresses that a Lambda signed for one file and 15 minutes; who got one is in its log',
  'AwsSolutions-SMG4': 'Rotation is a deploy: the key signs credentials that are good for 90 days, and the admin key is revoked by the API',
};
const DATABASE: Record<string, string> = {
  'AwsSolutions-RDS2': 'What is made in this way is always encrypted, by a key of AWS',
  'AwsSolutions-RDS6': 'What is made in this way lets in by IAM only',
  'AwsSolutions-RDS11': 'It has no network of its own in which a port could be chosen',
  'CloudFormation-Validate::F3002': 'The schema of the check is older than the property',
};
const APP: Record<string, string> = {
  'AwsSolutions-APIG4': 'Authorization is in the handlers, by the contracts: keys, credentials and tickets that only the database knows',
  [`AwsSolutions-IAM4[Policy::${LOGGING}]`]: 'API Gateway writes access logs as this role, for which AWS has this policy alone',
  [`AwsSolutions-IAM5[Resource::${SOCKETS}/POST/@connections/*]`]: CONNECTIONS,
  [`AwsSolutions-IAM5[Resource::${SOCKETS}/DELETE/@connections/*]`]: CONNECTIONS,
  [`AwsSolutions-IAM5[Resource::${FILES}]`]: 'A file has its name only when it is there; those of this bucket alone are meant',
};

const FLEET: Record<string, string> = {
  'AwsSolutions-VPC7': 'Nothing is let in, and what goes out is what tools do: their output is kept by the platform',
  'AwsSolutions-EC26': 'The one volume of a machine is encrypted; the check cannot read the launch template',
  'AwsSolutions-AS3': 'Machines come and go with the work; a fleet that does not keep up shows in the load',
};

export const acknowledge = (data: DataStack, app: Stack, fleet: Stack | null) => {
  for (const [stack, findings] of [
    [data, data.database === null ? DATA : { ...DATA, ...DATABASE }],
    [app, APP],
    ...(fleet ? [[fleet, FLEET] as const] : []),
  ] as const)
    for (const [id, reason] of Object.entries(findings)) Validations.of(stack).acknowledge({ id, reason });
};
