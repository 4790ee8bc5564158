import { Duration, Stack } from 'aws-cdk-lib';
import { AutoScalingGroup, DefaultResult, LifecycleTransition, SpotAllocationStrategy } from 'aws-cdk-lib/aws-autoscaling';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import {
  AmazonLinuxCpuType,
  BlockDeviceVolume,
  type IVpc,
  InstanceType,
  LaunchTemplate,
  MachineImage,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { FilterPattern, type ILogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { joinAtStart, workerPackage } from './fleet-machine.ts';
import type { FleetSettings } from './settings.ts';

export type FleetProps = { fleet: FleetSettings; url: string; tickLogs: ILogGroup };

/** Several families, because spot capacity can be missing in one and available in another. */
const MACHINES = ['c7g.large', 'm7g.large', 'c6g.large', 'm6g.large'];
/** Above 1, so that a busy fleet without waiting subtasks does not grow. */
const WORK_PER_SLOT = 1.2;
/** How long a machine may drain before it is terminated; a minute before that, its remaining attempts are released. */
const LEAVE = Duration.minutes(10);
const DRAIN = Duration.minutes(9);

/** The work per worker slot, which the tick logs each minute. */
const loadOf = (stack: Stack, logGroup: ILogGroup): Metric => {
  const metric = { metricNamespace: 'MultiAgentOnTheWeb', metricName: 'LoadPerSlot' };
  const filterPattern = FilterPattern.stringValue('$.event', '=', 'load');
  new MetricFilter(stack, 'Load', { logGroup, filterPattern, metricValue: '$.per_slot', ...metric });
  return new Metric({
    namespace: metric.metricNamespace,
    metricName: metric.metricName,
    statistic: 'Average',
    period: Duration.minutes(1),
  });
};

/** No inbound traffic. Machines connect out from their own public address, which costs less than a NAT gateway. */
const createNetwork = (stack: Stack) => {
  const subnetConfiguration = [{ name: 'Workers', subnetType: SubnetType.PUBLIC }];
  const vpc = new Vpc(stack, 'Network', { maxAzs: 3, natGateways: 0, subnetConfiguration, restrictDefaultSecurityGroup: false }) as IVpc;
  return { vpc, securityGroup: new SecurityGroup(stack, 'NothingComesIn', { vpc, description: 'Workers call, nobody calls them' }) };
};

/** How a machine starts. It may read only the worker's package and the pool's key. */
const createLaunchTemplate = (stack: Stack, { fleet, url }: FleetProps, securityGroup: SecurityGroup): LaunchTemplate => {
  const worker = workerPackage(stack);
  const role = new Role(stack, 'Machine', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: [worker.bucket.arnForObjects(worker.s3ObjectKey)] }));
  Secret.fromSecretNameV2(stack, 'PoolKey', fleet.keySecret).grantRead(role);
  return new LaunchTemplate(stack, 'Template', {
    machineImage: MachineImage.latestAmazonLinux2023({ cpuType: AmazonLinuxCpuType.ARM_64 }),
    userData: joinAtStart({ fleet, url, region: stack.region, worker, drainMs: DRAIN.toMilliseconds() }),
    role,
    securityGroup,
    associatePublicIpAddress: true,
    requireImdsv2: true,
    blockDevices: [{ deviceName: '/dev/xvda', volume: BlockDeviceVolume.ebs(30, { encrypted: true }) }],
  });
};

/** Spot machines that join as workers with a key, as many as there is work for. */
export class FleetStack extends Stack {
  constructor(scope: Construct, id: string, props: FleetProps) {
    super(scope, id, { analyticsReporting: false });
    const { vpc, securityGroup } = createNetwork(this);
    const launchTemplate = createLaunchTemplate(this, props, securityGroup);
    const group = new AutoScalingGroup(this, 'Fleet', {
      vpc,
      minCapacity: 1, // with no machine, nothing would report how many are wanted
      maxCapacity: props.fleet.most,
      capacityRebalance: true,
      mixedInstancesPolicy: {
        launchTemplate,
        launchTemplateOverrides: MACHINES.map((name) => ({ instanceType: new InstanceType(name) })),
        instancesDistribution: {
          onDemandPercentageAboveBaseCapacity: 0,
          spotAllocationStrategy: SpotAllocationStrategy.CAPACITY_OPTIMIZED,
        },
      },
    });
    group.addLifecycleHook('Leave', {
      lifecycleTransition: LifecycleTransition.INSTANCE_TERMINATING,
      heartbeatTimeout: LEAVE,
      defaultResult: DefaultResult.CONTINUE,
    });
    group.scaleToTrackMetric('Load', {
      metric: loadOf(this, props.tickLogs),
      targetValue: WORK_PER_SLOT,
      estimatedInstanceWarmup: Duration.minutes(5),
    });
  }
}
