import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { type AwsTarget, regionOfLambda } from './aws.ts';
import { credentialsOfLambda } from './lambda-credentials.ts';

export type AwsJson = (service: 'secretsmanager' | 'ssm', target: string, body: object) => Promise<unknown>;

const endpointOf = (service: string, region: string): string => {
  const { AWS_ENDPOINT_URL } = process.env;
  return AWS_ENDPOINT_URL ? AWS_ENDPOINT_URL : `https://${service}.${region}.amazonaws.com`;
};

/**
 * Calls an AWS service that has a JSON protocol, by a signed request: the two or three calls at the start of a Lambda do not justify
 * loading a client of the SDK.
 */
export const createAwsJson = ({ endpoint, region = regionOfLambda(), credentials }: AwsTarget = {}, timeoutMs = 5_000): AwsJson => {
  return async (service, target, content) => {
    const url = new URL(endpoint ?? endpointOf(service, region));
    const body = JSON.stringify(content);
    const signer = new SignatureV4({
      service,
      region,
      credentials: credentials ?? credentialsOfLambda(),
      sha256: Sha256,
    });
    const { headers } = await signer.sign({
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      path: '/',
      headers: { host: url.host, 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target },
      body,
    });
    const { host: _, ...sent } = headers;
    const answer = await fetch(url, { method: 'POST', headers: sent, body, signal: AbortSignal.timeout(timeoutMs) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${target} was refused with ${answer.status}: ${text.slice(0, 300)}`);
    return JSON.parse(text);
  };
};
