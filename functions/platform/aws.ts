/** Where a service of AWS is reached, and as whom; what is left out comes from the environment, as on Lambda. */
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

/** Connections are kept: a new one to AWS costs two round trips. */
export const httpOf = (timeoutMs: number, maxSockets = 50) => ({
  connectionTimeout: timeoutMs,
  requestTimeout: timeoutMs,
  throwOnRequestTimeout: true,
  httpAgent: { keepAlive: true, maxSockets },
  httpsAgent: { keepAlive: true, maxSockets },
});

/** As Lambda names it to a function. */
export const regionOfLambda = (): string => {
  const { AWS_REGION = '' } = process.env;
  return AWS_REGION;
};
