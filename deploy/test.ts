import { join } from 'node:path';
import { SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { onStopSignals } from '../local/stop-signals.ts';
import { type Deployed, deployToEmulator } from './to-emulator.ts';
import { ROOT, runCommand } from './run.ts';
import { countServices } from './counts.ts';
import { sayWithTime as say } from '../local/say.ts';
import type { Services } from './services.ts';

/** The tests of costs and updates run one at a time, because they need the deployment for themselves. */
const LAST = 'test/deployed/destroy.test.ts';
const PARTS = [['test/conformance'], ['test/deployed', '--no-file-parallelism', '--exclude', LAST], [LAST]];
const SUITE_MS = 900_000;
const REDELIVER_SECONDS = 5;

let countsUrl = '';

const queuesOf = ({ outputs }: Deployed) => ({
  urls: { subtasks: outputs.SubtasksQueueUrl, events: outputs.EventsQueueUrl },
  deadUrls: { subtasks: outputs.SubtasksDeadQueueUrl, events: outputs.EventsDeadQueueUrl },
});

/** On AWS a failed message is retried after two minutes and given up after four attempts: too long for a test. */
const hurryQueues = async ({ urls }: ReturnType<typeof queuesOf>) => {
  const client = new SQSClient({ useQueueUrlAsEndpoint: false });
  const Attributes = { VisibilityTimeout: String(REDELIVER_SECONDS) };
  for (const QueueUrl of Object.values(urls)) await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }));
  client.destroy();
};

const runSuite = async (deployed: Deployed, signal: AbortSignal) => {
  const queues = queuesOf(deployed);
  await hurryQueues(queues);
  const env = {
    ...process.env,
    ...deployed.emulator.env,
    CONFORMANCE_URL: deployed.outputs.ApiUrl,
    CONFORMANCE_ADMIN_KEY: deployed.adminKey,
    CONFORMANCE_QUEUES: JSON.stringify(queues),
    CONFORMANCE_GAPS: 'ministack',
    DEPLOYED_COUNTS: countsUrl,
  };
  const given = process.argv.slice(2);
  for (const filter of given.length > 0 ? [given] : PARTS) {
    const vitest = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'deployed', ...filter];
    await runCommand(process.execPath, vitest, { env, signal, timeoutMs: SUITE_MS });
  }
};

const stopping = new AbortController();
onStopSignals({ stop: () => stopping.abort(new Error('interrupted')), force: () => process.exit(130) });

let deployed: Deployed | null = null;
try {
  const around = async (services: Services) => {
    const counted = await countServices(services);
    countsUrl = counted.url;
    return counted;
  };
  deployed = await deployToEmulator({ say, signal: stopping.signal, around });
  say(`deployed: ${deployed.outputs.ApiUrl}`);
  await runSuite(deployed, stopping.signal);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await deployed?.stop();
  say('stopped everything that was started');
}
