import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Resource, synth, type Synthesized } from './support/synth.ts';

const run = promisify(execFile);
const isWindows = process.platform === 'win32';

let made: Synthesized;
let fleet: Resource[];

beforeAll(async () => {
  const context = {
    fleet_key: 'pool-key',
    fleet_exec_allow: 'git,node',
    fleet_slots: '3',
    fleet_most: '7',
    public_url: 'https://agents.example.com',
  };
  made = await synth(context);
  const template = JSON.parse(await readFile(join(made.folder, 'MultiAgentOnTheWebFleet.template.json'), 'utf8'));
  fleet = Object.values(template.Resources);
}, 180_000);
afterAll(async () => {
  if (made) await rm(made.folder, { recursive: true, force: true });
});

const only = (type: string) => {
  const found = fleet.filter((it) => it.Type === type);
  expect(found).toHaveLength(1);
  return (found[0] as Resource).Properties;
};

describe('a machine of the fleet', () => {
  const machine = () => only('AWS::EC2::LaunchTemplate').LaunchTemplateData;

  /** Runs the start script of a new machine with commands that only record their arguments. */
  const start = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'maw-fleet-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const log = join(folder, 'log');
    const stub = async (name: string, then = '') => {
      const path = join(folder, 'bin', name);
      await writeFile(path, `#!/bin/bash\necho "\${MAW_API_KEY:+[key] }${name} $*" >> ${log}\n${then}\n`);
      await chmod(path, 0o755);
    };
    await mkdir(join(folder, 'bin'));
    for (const name of ['dnf', 'unzip', 'useradd', 'mkdir']) await stub(name);
    await stub('curl', '[[ "$*" == *instance-id ]] && echo i-123 || echo session');
    await stub('aws', '[[ "$1" == secretsmanager ]] && echo mak_secret || true');
    await stub(
      'node-24',
      `case "$*" in *" enrol "*) echo '{"enrolment_token":"mae_token"}';; --print*) exec ${process.execPath} "$@";; esac`,
    );
    const [, parts] = machine().UserData['Fn::Base64']['Fn::Join'] as [string, unknown[]];
    const script = parts.map((part) => (typeof part === 'string' ? part : 'REF')).join('');
    await writeFile(join(folder, 'script'), script);
    await run('/bin/bash', [join(folder, 'script')], { env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` } });
    return (await readFile(log, 'utf8')).trim().split('\n');
  };

  it.skipIf(isWindows)('enrols with the key of the pool, which no other command receives, and joins under its own name', async () => {
    const lines = await start();

    expect(lines.filter((line) => line.includes('[key]'))).toEqual([
      '[key] node-24 /opt/maw/bin/maw.mjs enrol --json --tools exec --exec-allow git,node',
    ]);
    expect(lines.join('\n')).not.toContain('mak_secret');
    expect(lines.at(-1)).toBe(
      'node-24 /opt/maw/bin/maw.mjs worker join https://agents.example.com/#mae_token --account maw-worker --name i-123 ' +
        '--tools exec --exec-allow git,node --slots 3 --notice-url http://169.254.169.254 --drain-for-ms 540000',
    );
  });

  it('may read its package and the key of the pool, and nothing else', () => {
    const statements = only('AWS::IAM::Policy').PolicyDocument.Statement as { Action: string | string[] }[];

    expect(statements.flatMap(({ Action }) => Action).toSorted()).toEqual([
      's3:GetObject',
      'secretsmanager:DescribeSecret',
      'secretsmanager:GetSecretValue',
    ]);
  });

  it('requires a session for its metadata, has an encrypted disk, and allows no inbound traffic', () => {
    expect(machine()).toMatchObject({ MetadataOptions: { HttpTokens: 'required' }, BlockDeviceMappings: [{ Ebs: { Encrypted: true } }] });
    expect(only('AWS::EC2::SecurityGroup').SecurityGroupIngress).toBeUndefined();
  });
});

describe('the fleet', () => {
  it('has as many machines as there is work for, according to the log line of the tick', () => {
    const { MinSize, MaxSize } = only('AWS::AutoScaling::AutoScalingGroup');
    const filter = only('AWS::Logs::MetricFilter');
    const { CustomizedMetricSpecification: metric, TargetValue } = only('AWS::AutoScaling::ScalingPolicy').TargetTrackingConfiguration;

    expect([MinSize, MaxSize, TargetValue]).toEqual(['1', '7', 1.2]);
    expect(filter).toMatchObject({ FilterPattern: '{ $.event = "load" }', MetricTransformations: [{ MetricValue: '$.per_slot' }] });
    expect(filter.MetricTransformations[0]).toMatchObject({ MetricName: metric.MetricName, MetricNamespace: metric.Namespace });
  });

  it('waits for a machine that it terminates for longer than the machine drains', () => {
    const hook = only('AWS::AutoScaling::LifecycleHook');

    expect(hook).toMatchObject({ LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING', DefaultResult: 'CONTINUE' });
    expect(hook.HeartbeatTimeout * 1_000).toBeGreaterThan(540_000);
  });

  it('uses spot machines of several families, and replaces one before it is interrupted', () => {
    const { CapacityRebalance, MixedInstancesPolicy } = only('AWS::AutoScaling::AutoScalingGroup');

    expect(CapacityRebalance).toBe(true);
    expect(MixedInstancesPolicy.InstancesDistribution).toMatchObject({ OnDemandPercentageAboveBaseCapacity: 0 });
    expect(MixedInstancesPolicy.LaunchTemplate.Overrides.length).toBeGreaterThan(2);
  });
});
