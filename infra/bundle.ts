import { join } from 'node:path';
import { Stage, type Stack } from 'aws-cdk-lib';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';
import { build } from './build.ts';

/** The code of `functions/<name>.lambda.ts`. */
export const bundle = (stack: Stack, name: string): AssetCode => {
  const folder = join(Stage.of(stack)?.outdir ?? '', 'bundles', name);
  build(name, folder);
  return Code.fromAsset(folder);
};
