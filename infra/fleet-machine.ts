import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { Stage, type Stack } from 'aws-cdk-lib';
import { UserData } from 'aws-cdk-lib/aws-ec2';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { FleetSettings } from './settings.ts';

const ROOT = join(import.meta.dirname, '..');
const METADATA = 'http://169.254.169.254';

/** The worker as npm would pack it; it needs nothing except Node. */
export const workerPackage = (stack: Stack): Asset => {
  const path = join(Stage.of(stack)?.outdir ?? '', 'worker');
  const build = [join(ROOT, 'worker-agent/build.mjs'), join(path, 'dist')];
  const { status } = spawnSync(process.execPath, build, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('The worker could not be built; see the output above');
  for (const part of ['bin', 'package.json']) cpSync(join(ROOT, 'worker-agent', part), join(path, part), { recursive: true });
  return new Asset(stack, 'Worker', { path });
};

export type Joining = { fleet: FleetSettings; url: string; region: string; worker: Asset; drainMs: number };

/**
 * The start script of a new machine: installs Node and the worker, creates an enrolment token with the pool's key, and joins as a
 * service.
 */
export const joinAtStart = ({ fleet, url, region, worker, drainMs }: Joining): UserData => {
  const tools = [`--tools '${fleet.tools}'`, ...(fleet.execAllow === '' ? [] : [`--exec-allow '${fleet.execAllow}'`])].join(' ');
  const maw = 'node-24 /opt/maw/bin/maw.mjs';
  const data = UserData.forLinux();
  data.addCommands('set -euo pipefail', 'dnf install --assumeyes --quiet nodejs24 git unzip');
  data.addS3DownloadCommand({ bucket: worker.bucket, bucketKey: worker.s3ObjectKey, localFile: '/opt/maw.zip' });
  data.addCommands(
    'mkdir -p /opt/maw && unzip -q -o /opt/maw.zip -d /opt/maw',
    'useradd --system --create-home --shell /sbin/nologin maw-worker',
    `session=$(curl --fail --silent --request PUT --header 'x-aws-ec2-metadata-token-ttl-seconds: 300' ${METADATA}/latest/api/token)`,
    `name=$(curl --fail --silent --header "x-aws-ec2-metadata-token: $session" ${METADATA}/latest/meta-data/instance-id)`,
    `key=$(aws secretsmanager get-secret-value --region ${region} --secret-id '${fleet.keySecret}' --query SecretString --output text)`,
    `token=$(MAW_API_KEY=$key MAW_URL='${url}' ${maw} enrol --json ${tools} | node-24 --print 'JSON.parse(require("fs").readFileSync(0)).enrolment_token')`,
    `${maw} worker join "${url}/#$token" --account maw-worker --name "$name" ${tools} --slots ${fleet.slots} --notice-url ${METADATA} --drain-for-ms ${drainMs}`,
  );
  return data;
};
