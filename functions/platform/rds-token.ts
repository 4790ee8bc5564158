import { Sha256 } from '@smithy/core/checksum';
import { buildQueryString } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { type AwsTarget, regionOfLambda } from './aws.ts';
import { credentialsOfLambda } from './lambda-credentials.ts';

/** How long a token opens connections; those that are open stay so. */
const LIFE_S = 900;

type Whom = { hostname: string; port: number; user: string };

/** What RDS and Aurora take for a password where IAM says who may connect: a signed request that is never sent. */
export const createRdsToken = ({ region = regionOfLambda(), credentials }: Pick<AwsTarget, 'region' | 'credentials'> = {}) => {
  const signer = new SignatureV4({
    service: 'rds-db',
    region,
    credentials: async () => credentials ?? credentialsOfLambda(),
    sha256: Sha256,
  });
  return async ({ hostname, port, user }: Whom, signingDate = new Date()): Promise<string> => {
    const host = `${hostname}:${port}`;
    const asked = {
      method: 'GET',
      protocol: 'https:',
      hostname,
      port,
      path: '/',
      query: { Action: 'connect', DBUser: user },
      headers: { host },
    };
    const { query = {} } = await signer.presign(asked, { signingDate, expiresIn: LIFE_S });
    return `${host}/?${buildQueryString(query)}`;
  };
};
