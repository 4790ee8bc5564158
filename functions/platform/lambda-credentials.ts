/** As Lambda gives them to a function. */
export const credentialsOfLambda = () => {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '', AWS_SESSION_TOKEN: sessionToken } = process.env;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
};

/** In bundles this stands for the AWS SDK's search in all places where credentials could be, which is a tenth of a Lambda. */
export const defaultProvider = () => async () => credentialsOfLambda();
