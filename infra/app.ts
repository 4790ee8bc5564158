import { join, relative } from 'node:path';
import { App } from 'aws-cdk-lib';
import { allRoutes } from '../schema/routes.ts';
import { readSettings } from './settings.ts';
import { PlatformStack } from './stack.ts';

const app = new App({ outdir: process.env.CDK_OUTDIR ?? join(import.meta.dirname, '../cdk.out') });
const stack = new PlatformStack(app, 'MultiAgentOnTheWeb', readSettings(app.node));
const { directory } = app.synth();

// On standard error, because what `cdk synth` writes to standard output is the template itself.
process.stderr.write(`HTTP API: ${allRoutes.length} routes from the contracts, and $default
Lambdas: ${Object.keys(stack.functions).join(', ')}
Template: ${join(relative(process.cwd(), directory), stack.templateFile)}
`);
