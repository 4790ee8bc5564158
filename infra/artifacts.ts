import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { addVariables } from './environment.ts';
import { allow } from './function.ts';
import type { Functions } from './functions.ts';
import type { Settings } from './settings.ts';

/**
 * The artifacts of attempts; callers upload and download them at URLs that the Lambdas sign. Kept when the stack is deleted, except on
 * an emulator.
 */
export const createArtifacts = (stack: Stack, { emulator, corsOrigins }: Settings): Bucket =>
  new Bucket(stack, 'Artifacts', {
    encryption: BucketEncryption.S3_MANAGED,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: emulator === null,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    removalPolicy: emulator === null ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    ...(corsOrigins === '' ? {} : { cors: [{ allowedMethods: [HttpMethods.GET], allowedOrigins: corsOrigins.split(','), maxAge: 3_600 }] }),
  });

/** Emulators have one address for all buckets. */
const urlOfBucket = (bucket: Bucket, { emulator }: Settings): string =>
  emulator === null ? `https://${bucket.bucketRegionalDomainName}` : `${emulator}/${bucket.bucketName}`;

/** A signed URL grants what its signer may do. */
const grantFiles = (fn: LambdaFunction, bucket: Bucket, ...actions: ('GetObject' | 'PutObject' | 'DeleteObject')[]) =>
  allow(
    fn,
    actions.map((action) => `s3:${action}`),
    bucket.arnForObjects('*'),
  );

export const grantArtifacts = (functions: Functions, bucket: Bucket, settings: Settings) => {
  const { 'person-api': personApi, 'worker-api': workerApi, tick } = functions;
  grantFiles(personApi, bucket, 'GetObject');
  grantFiles(workerApi, bucket, 'GetObject', 'PutObject');
  allow(workerApi, ['s3:ListBucket'], bucket.bucketArn); // without it S3 does not report that a file is missing
  grantFiles(tick, bucket, 'DeleteObject');
  for (const fn of [personApi, workerApi, tick]) addVariables(fn, { ARTIFACTS_URL: urlOfBucket(bucket, settings) });
};
