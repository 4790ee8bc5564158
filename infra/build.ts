import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { build as bundle, type Plugin } from 'esbuild';
import { CONNECTION_FILE, repairFile } from '../functions/platform/postgres/repair.ts';
import type { LambdaName } from './lambdas.ts';

const ROOT = join(import.meta.dirname, '..');

/** What the migration reads. */
const SCRIPTS = ['migrations', 'transitions'];

/** The driver of the database as the running backend has it: see the module that repairs it. */
const repairedDriver: Plugin = {
  name: 'repaired-driver',
  setup: ({ onLoad }) => onLoad({ filter: CONNECTION_FILE }, ({ path }) => ({ contents: repairFile(path) })),
};

/**
 * Builds `functions/<name>.lambda.ts` into a folder: one ES module with everything in it but Node's own. Answers what it is made of.
 * Zod is imported as `* as z` throughout: of `{ z }` esbuild would keep all languages, a quarter of the module.
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
    // The AWS SDK as ES modules: of them what is not used is left out, which is a sixth of the time to import.
    mainFields: ['module', 'main'],
    alias: { '@aws-sdk/credential-provider-node': './functions/platform/lambda-credentials.ts' },
    charset: 'utf8',
    minify: true,
    lineLimit: 200, // a stack trace then tells lines, not columns of one line
    metafile: true,
    plugins: [repairedDriver],
    logLevel: 'warning',
  });
  if (name === 'migrate') for (const part of SCRIPTS) cpSync(join(ROOT, 'schema', part), join(folder, 'schema', part), { recursive: true });
  return Object.keys(metafile.inputs);
};
