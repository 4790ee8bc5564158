import { RemovalPolicy, type Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { addVariables } from './environment.ts';
import { allow } from './function.ts';

/**
 * Signs worker credentials and encrypts stored secrets, which are worthless without it. Therefore it is kept when the stack is
 * deleted.
 */
export const createSecretKey = (stack: Stack): Secret =>
  new Secret(stack, 'SecretKey', {
    description: 'SECRET_KEY of the backend',
    generateSecretString: { passwordLength: 64, excludeCharacters: '"@/\\\'`$ ' },
    removalPolicy: RemovalPolicy.RETAIN,
  });

/** Where the first migration stores the admin key; until then its value is random and unknown. */
export const createAdminKey = (stack: Stack): Secret =>
  new Secret(stack, 'AdminKey', {
    description: 'The API key of the administrator, created by the first deploy',
    generateSecretString: { passwordLength: 32, excludeCharacters: '"@/\\\'`$ ' },
    removalPolicy: RemovalPolicy.RETAIN,
  });

export const grantSecretKey = (fn: LambdaFunction, key: Secret) => {
  allow(fn, ['secretsmanager:GetSecretValue'], key.secretArn);
  addVariables(fn, { SECRET_KEY_FROM: `secretsmanager:${key.secretArn}` });
};

/** The migration may store the admin key, but not read it. */
export const grantStoreAdminKey = (fn: LambdaFunction, adminKey: Secret) => {
  allow(fn, ['secretsmanager:PutSecretValue'], adminKey.secretArn);
  addVariables(fn, { ADMIN_KEY_SECRET: adminKey.secretArn });
};
