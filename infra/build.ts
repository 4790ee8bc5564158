import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import type { LambdaName } from './lambdas.ts';

/** Packages in CommonJS require Node's modules, which an ES module can't by itself. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

const ROOT = join(import.meta.dirname, '..');

/** What the migration reads. */
const SCRIPTS = ['migrations', 'transitions'];

/**
 * Builds `functions/<name>.lambda.ts` into a folder: one ES module with everything in it but Node's own. Answers what it is made of.
 * Zod is imported as `* as z` throughout: of `{ z }` esbuild would keep all languages, a quarter of the module.
 */
export const build = (name: LambdaName, folder: string): string[] => {
  const { metafile } = buildSync({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}.lambda.ts`],
    outfile: join(folder, 'index.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The AWS SDK as ES modules: of them what is not used is left out, which is a sixth of the time to import.
    mainFields: ['module', 'main'],
    alias: { '@aws-sdk/credential-provider-node': './functions/platform/lambda-credentials.ts' },
    charset: 'utf8',
    banner: { js: BANNER },
    minify: true,
    lineLimit: 200, // a stack trace then tells lines, not columns of one line
    metafile: true,
    logLevel: 'warning',
  });
  if (name === 'migrate') for (const part of SCRIPTS) cpSync(join(ROOT, 'schema', part), join(folder, 'schema', part), { recursive: true });
  return Object.keys(metafile.inputs);
};
