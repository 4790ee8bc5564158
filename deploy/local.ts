import { onStopSignals } from '../local/stop-signals.ts';
import { sayWithTime as say } from '../local/say.ts';
import { type Deployed, deployToEmulator } from './to-emulator.ts';

const printDeployed = ({ outputs, adminKey, emulator }: Deployed) =>
  process.stdout.write(`
  API        ${outputs.ApiUrl}/api/v1
  Sockets    ${outputs.SocketUrl}
  Emulator   ${emulator.endpoint}
  Admin key  ${adminKey}

Next, in another terminal, in this folder:
  export MAW_URL='${outputs.ApiUrl}' MAW_API_KEY=${adminKey}
  npx maw enrol --tools scripted,exec --exec-allow git,node     # then paste the command that it prints: it starts a worker
  npx maw submit "say hello" --wait
`);

const stopping = new AbortController();
onStopSignals({ stop: () => stopping.abort(new Error('interrupted')), force: () => process.exit(130) });

let deployed: Deployed | null = null;
try {
  deployed = await deployToEmulator({ say, signal: stopping.signal });
  printDeployed(deployed);
  if (deployed.isOurs) {
    say('Ctrl-C stops it');
    const alive = setInterval(() => {}, 60_000);
    await new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
    clearInterval(alive);
  }
} catch (error) {
  process.stderr.write(`Not deployed: ${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  await deployed?.stop();
}
