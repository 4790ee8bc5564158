import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { cdk } from '../../../deploy/cdk.ts';
import { ROOT } from '../../../deploy/run.ts';
import { deployTo } from '../../../deploy/to-emulator.ts';

const PARTS = ['functions', 'infra', 'schema', 'package.json'];

/** Another version of this code, with its own version number and more migrations. */
export const makeVersion = async (version: string, migrations: Record<string, string>): Promise<{ deploy(): Promise<void> }> => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-version-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const part of PARTS) await cp(join(ROOT, part), join(folder, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const product = join(folder, 'schema/product.ts');
  await writeFile(product, (await readFile(product, 'utf8')).replace(/version: '[^']+'/, `version: '${version}'`));
  for (const [name, text] of Object.entries(migrations)) await writeFile(join(folder, 'schema/migrations', name), text);
  const app = `${process.execPath} ${join(folder, 'infra/app.ts')}`;
  const out = join(folder, 'cdk.out');
  return {
    deploy: () =>
      cdk([...deployTo(process.env.AWS_ENDPOINT_URL ?? ''), '--app', app, '--output', out], {
        env: { CDK_OUTDIR: out },
        timeoutMs: 240_000,
      }),
  };
};
