import { Sha256 } from '@smithy/core/checksum';
import { buildQueryString } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { type AwsTarget, regionOfLambda } from './aws.ts';
import { credentialsOfLambda } from './lambda-credentials.ts';

/** How long a token can open connections; open connections are not affected. */
const LIFE_S = 900;

type Login = { hostname: string; port: number; user: string };

/** The password that RDS and Aurora accept with IAM authentication: a signed request that is never sent. */
export const createRdsToken = ({ region = regionOfLambda(), credentials }: Pick<AwsTarget, 'region' | 'credentials'> = {}) => {
  const signer = new SignatureV4({
    service: 'rds-db',
    region,
    credentials: async () => credentials ?? credentialsOfLambda(),
    sha256: Sha256,
  });
  return async ({ hostname, port, user }: Login, signingDate = new Date()): Promise<string> => {
    const host = `${hostname}:${port}`;
    const request = {
      method: 'GET',
      protocol: 'https:',
      hostname,
      port,
      path: '/',
      query: { Action: 'connect', DBUser: user },
      headers: { host },
    };
    const { query = {} } = await signer.presign(request, { signingDate, expiresIn: LIFE_S });
    return `${host}/?${buildQueryString(query)}`;
  };
};
