import { join, relative } from 'node:path';
import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { allRoutes } from '../schema/routes.ts';
import { FleetStack } from './fleet.ts';
import { buildBundles } from './function.ts';
import { LAMBDAS } from './lambdas.ts';
import { acknowledge } from './nag.ts';
import { readSettings } from './settings.ts';
import { AppStack, DataStack } from './stack.ts';

const app = new App({
  outdir: process.env.CDK_OUTDIR ?? join(import.meta.dirname, '../cdk.out'),
  context: { '@aws-cdk/core:defaultCrossStackReferences': 'strong' },
});
await buildBundles(app.outdir);
const settings = readSettings(app.node);
const data = new DataStack(app, 'MultiAgentOnTheWebData', settings);
const stack = new AppStack(app, 'MultiAgentOnTheWeb', { settings, data });
const { fleet } = settings;
const machines =
  fleet && new FleetStack(app, 'MultiAgentOnTheWebFleet', { fleet, url: stack.url, tickLogs: stack.functions.tick.logGroup });
const stacks = [data, stack, ...(machines ? [machines] : [])];
Tags.of(app).add('app', 'multi-agent-on-the-web');
acknowledge(data, stack, machines);
// An emulator lacks what the checks require.
if (settings.emulator === null) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const { directory } = app.synth();

// To standard error, because `cdk synth` writes the template itself to standard output.
process.stderr.write(`HTTP API: ${allRoutes.length} routes from the contracts, and $default
Lambdas: ${LAMBDAS.join(', ')}
Templates: ${stacks.map(({ templateFile }) => join(relative(process.cwd(), directory), templateFile)).join(', ')}
`);
