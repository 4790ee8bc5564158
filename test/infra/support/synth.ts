import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const APP = join(import.meta.dirname, '../../../infra/app.ts');

// Each resource type has its own properties; the tests name those that they check.
export type Resource = { Type: string; Properties: Record<string, any>; DeletionPolicy?: string; DependsOn?: string[] };

export type Synthesized = { folder: string; data: Record<string, any>; app: Record<string, any>; output: string };

/** Runs the CDK app as its users do, in its own process, into a folder outside of the repository. */
export const synth = async (context: Record<string, unknown> = {}): Promise<Synthesized> => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-synth-'));
  const env = { PATH: process.env.PATH, CDK_OUTDIR: folder, CDK_CONTEXT_JSON: JSON.stringify(context) };
  try {
    const { stderr } = await run(process.execPath, [APP], { env, timeout: 170_000 });
    const read = async (stack: string) => JSON.parse(await readFile(join(folder, `${stack}.template.json`), 'utf8'));
    return { folder, data: await read('MultiAgentOnTheWebData'), app: await read('MultiAgentOnTheWeb'), output: stderr };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
};
