import { loadEnvFile } from './env-file.ts';
import { type Standalone, startStandalone } from './standalone.ts';
import { sayWithTime as say } from './say.ts';
import { explain, warningsOf } from './start/messages.ts';
import { HELP, readOptions } from './start/options.ts';
import { onStopSignals } from './stop-signals.ts';

const fail = (message: string): never => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

const options = (() => {
  try {
    loadEnvFile();
    return readOptions(process.argv.slice(2), process.env);
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${HELP}`);
  }
})();
if (options.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}
warningsOf(options, process.env).forEach(say);

const starting = startStandalone({ ...options, env: process.env, say }).catch((error: unknown) =>
  fail(`Not started: ${explain(error, options)}`),
);

let standalone: Standalone | null = null;
let stopping = false;
onStopSignals({
  stop: () => {
    stopping = true;
    say('stopping (again to force)');
    starting
      .then((it) => it.close())
      .then(
        () => process.exit(0),
        (error: Error) => fail(error.message),
      );
  },
  force: () => {
    standalone?.database.kill();
    process.exit(130);
  },
});

standalone = await starting;
if (!stopping) {
  const { url, isNew, adminKey, adminKeyPath } = standalone;
  const key = adminKey ? `$(cat ${adminKeyPath})` : 'mak_…';
  say('ready');
  process.stdout.write(`
  API      ${url}/api/v1
  Docs     ${url}/docs
  Health   ${url}/api/v1/health
${isNew ? `\n  Admin key (shown once, kept in ${adminKeyPath})\n  ${adminKey}\n` : ''}
Next, in another terminal, in this folder:
  export MAW_URL=${options.publicUrl ?? url} MAW_API_KEY=${key}
  npx maw enrol --tools scripted,exec --exec-allow git,node     # then paste the command that it prints: it starts a worker
  npx maw submit "say hello" --wait

Ctrl-C stops it.
`);
}
