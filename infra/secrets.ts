import { RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';

/** Signs the credentials of workers and seals stored secrets: lost with the stack, both would be worthless, so it stays. */
export const createSecretKey = (stack: Stack): Secret =>
  new Secret(stack, 'SecretKey', {
    description: 'SECRET_KEY of the backend',
    generateSecretString: { passwordLength: 64, excludeCharacters: '"@/\\\'`$ ' },
    removalPolicy: RemovalPolicy.RETAIN,
  });

/** Where the first migration puts the key of the administrator; until then nobody knows what is in it. */
export const createAdminKey = (stack: Stack): Secret =>
  new Secret(stack, 'AdminKey', {
    description: 'The API key of the administrator, made by the first deploy',
    generateSecretString: { passwordLength: 32, excludeCharacters: '"@/\\\'`$ ' },
    removalPolicy: RemovalPolicy.RETAIN,
  });
