/** The endpoint, region and credentials of an AWS service; what is omitted comes from the environment, as on Lambda. */
export type AwsTarget = {
  endpoint?: string | undefined;
  region?: string | undefined;
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
};

export const targetOf = ({ endpoint, region, credentials }: AwsTarget) => ({
  ...(endpoint ? { endpoint } : {}),
  ...(region ? { region } : {}),
  ...(credentials ? { credentials } : {}),
});

/** Connections are kept alive: a new one to AWS costs two round trips. */
export const httpOf = (timeoutMs: number, maxSockets = 50) => ({
  connectionTimeout: timeoutMs,
  requestTimeout: timeoutMs,
  throwOnRequestTimeout: true,
  httpAgent: { keepAlive: true, maxSockets },
  httpsAgent: { keepAlive: true, maxSockets },
});

/** The region that Lambda sets for a function. */
export const regionOfLambda = (): string => {
  const { AWS_REGION = '' } = process.env;
  return AWS_REGION;
};
