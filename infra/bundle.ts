import { join } from 'node:path';
import { Stage, type Stack } from 'aws-cdk-lib';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';

/** Packages in CommonJS require Node's modules, which an ES module can't by itself. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

const ROOT = join(import.meta.dirname, '..');

/**
 * The code of `functions/<name>.lambda.ts`: one ES module with everything in it but Node's own. Not minified: it would import no
 * sooner (65 ms for 1 MB or 0.6 MB), and the stack traces of production keep their names and lines.
 */
export const bundle = (stack: Stack, name: string): AssetCode => {
  const folder = join(Stage.of(stack)?.outdir ?? '', 'bundles', name);
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}.lambda.ts`],
    outfile: join(folder, 'index.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    banner: { js: BANNER },
    logLevel: 'warning',
  });
  return Code.fromAsset(folder);
};
