/** The credentials that Lambda sets for a function. */
export const credentialsOfLambda = () => {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '', AWS_SESSION_TOKEN: sessionToken } = process.env;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
};

/** In bundles, this replaces the AWS SDK's search of all credential sources, which would be a tenth of a Lambda. */
export const defaultProvider = () => async () => credentialsOfLambda();
