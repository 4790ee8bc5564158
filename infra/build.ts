import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { build as bundle, type Plugin } from 'esbuild';
import { CONNECTION_FILE, repairFile } from '../functions/platform/postgres/repair.ts';
import type { LambdaName } from './lambdas.ts';

const ROOT = join(import.meta.dirname, '..');

/** The files that the migration reads. */
const SCRIPTS = ['migrations', 'transitions'];

/** The database driver as the running backend uses it: see the module that repairs it. */
const repairedDriver: Plugin = {
  name: 'repaired-driver',
  setup: ({ onLoad }) => onLoad({ filter: CONNECTION_FILE }, ({ path }) => ({ contents: repairFile(path) })),
};

/**
 * Bundles `functions/<name>.lambda.ts` into a folder: one ES module that includes everything except Node's own modules. Returns its
 * inputs. Zod is imported as `* as z` everywhere: with `{ z }` esbuild would keep all languages, a quarter of the module.
 */
export const build = async (name: LambdaName, folder: string): Promise<string[]> => {
  const { metafile } = await bundle({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}.lambda.ts`],
    outfile: join(folder, 'index.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Uses the ES modules of the AWS SDK: their unused parts are dropped, which saves a sixth of the import time.
    mainFields: ['module', 'main'],
    alias: { '@aws-sdk/credential-provider-node': './functions/platform/lambda-credentials.ts' },
    charset: 'utf8',
    minify: true,
    lineLimit: 200, // so that stack traces name lines, not columns of a single line
    metafile: true,
    plugins: [repairedDriver],
    logLevel: 'warning',
  });
  if (name === 'migrate') for (const part of SCRIPTS) cpSync(join(ROOT, 'schema', part), join(folder, 'schema', part), { recursive: true });
  return Object.keys(metafile.inputs);
};
