import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Settings } from './settings.ts';

/** The files that attempts leave; callers move them by addresses that the Lambdas sign. Stays when the stack goes, but on an emulator. */
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
export const urlOfBucket = (bucket: Bucket, { emulator }: Settings): string =>
  emulator === null ? `https://${bucket.bucketRegionalDomainName}` : `${emulator}/${bucket.bucketName}`;
