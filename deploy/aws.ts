import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cdk, readOutputs } from './cdk.ts';

/** Deploys to the account of the shell's credentials; further arguments are passed to cdk. */
const deploy = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-deploy-'));
  const file = join(folder, 'outputs.json');
  try {
    await cdk(['deploy', '--all', '--outputs-file', file, ...process.argv.slice(2)], { stdin: 'inherit' });
    return await readOutputs(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

try {
  const { ApiUrl, SocketUrl, AdminKeySecret } = await deploy();
  process.stdout.write(`
  API        ${ApiUrl}/api/v1
  Sockets    ${SocketUrl}
  Admin key  aws secretsmanager get-secret-value --query SecretString --output text --secret-id ${AdminKeySecret}
`);
} catch (error) {
  process.stderr.write(`Not deployed: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
