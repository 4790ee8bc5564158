import { cdk } from './cdk.ts';

const APP = 'MultiAgentOnTheWeb';
const DATA = `${APP}Data`;
const FLEET = `${APP}Fleet`;
/** The fleet is part of the app only if its key is named; any name will do to delete it. */
const WITH_FLEET = ['-c', 'fleet_key=any'];

try {
  await cdk(['destroy', FLEET, APP, '--exclusively', ...WITH_FLEET, ...process.argv.slice(2)], { stdin: 'inherit' });
  process.stdout.write(`
What runs is gone. What is kept is in the stack ${DATA}: queues, files, secrets. To give that up too, take its protection away and delete it:
  aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name ${DATA}
  aws cloudformation delete-stack --stack-name ${DATA}
The bucket and the secrets stay even then, until you delete them by hand; so does the database.
`);
} catch (error) {
  process.stderr.write(`Not destroyed: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
