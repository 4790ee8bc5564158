import { createExec } from '../../../worker-agent/src/tools/exec/exec.ts';
import { createOpenAi } from '../../../worker-agent/src/tools/openai/openai-http.ts';
import { scripted } from '../../../worker-agent/src/tools/scripted/scripted.ts';
import { itIsAnAdapter } from '../support/adapter-contract.ts';
import { type Act, modelServer, sendJson, submits, uses } from '../support/model-server.ts';

const node = (script: string) => [process.execPath, '-e', script];
const ENVIRONMENT = 'console.log(JSON.stringify(process.env))';
/** Ignores all signals that it can ignore, and writes its process id to a file once it does. */
const stubborn = (pidFile: string) =>
  `process.on("SIGINT",()=>{});process.on("SIGTERM",()=>{});require("fs").writeFileSync(${JSON.stringify(pidFile)},String(process.pid));
   console.log("begun");setInterval(()=>{},1000)`;

const execPlay = (script: string, more = {}) => {
  const adapter = createExec({ allow: ['*'], roots: [], logins: [], maxResultBytes: 1_000_000 });
  return Promise.resolve({ adapter, input: { argv: node(script), ...more } });
};

itIsAnAdapter('exec', {
  isMetered: false,
  answers: (result) => execPlay(`console.log(${JSON.stringify(JSON.stringify(result))})`),
  fails: { class: 'tool_error', play: () => execPlay('console.error("it is broken");process.exit(3)') },
  hangs: (pidFile) => execPlay(stubborn(pidFile)),
  tellsGoal: () =>
    execPlay('let t="";process.stdin.on("data",d=>t+=d).on("end",()=>process.stdout.write(JSON.stringify(JSON.parse(t).goal)))'),
  writes: () => execPlay('require("fs").writeFileSync("made.txt","")'),
  tellsEnvironment: () => execPlay(ENVIRONMENT),
});

const scriptedPlay = (...steps: { [key: string]: any }[]) => Promise.resolve({ adapter: scripted, input: { steps } });

itIsAnAdapter('scripted', {
  isMetered: false,
  answers: (value) => scriptedPlay({ do: 'output', value }),
  fails: { class: 'auth', play: () => scriptedPlay({ do: 'fail', failure_class: 'auth', message: 'no login' }) },
  hangs: () => scriptedPlay({ do: 'log', text: 'begun' }, { do: 'wait', ms: 3_600_000 }),
  tellsGoal: () => scriptedPlay(),
  writes: null,
  tellsEnvironment: null,
});

const openAiPlay = async (...script: Act[]) => {
  const { url, asked } = await modelServer(...script);
  const settings = { url, model: 'a-model', key: 'sk-of-the-worker', stream: true, timeoutMs: 60_000, maxTurns: 8, retryWaitsMs: [] };
  return { adapter: createOpenAi({ ...settings, commands: { allow: ['*'], roots: [] } }), input: {}, asked };
};

itIsAnAdapter('openai-http', {
  isMetered: true,
  answers: (result) => openAiPlay(uses('list_files', {}), submits(result)),
  fails: { class: 'auth', play: () => openAiPlay((response) => sendJson(response, 401, { error: { message: 'bad key' } })) },
  hangs: (pidFile) => openAiPlay(uses('run_command', { argv: node(stubborn(pidFile)), timeout_seconds: 3_600 })),
  tellsGoal: () =>
    openAiPlay((response, asked) => {
      const goal = asked.messages[1]?.content.replace(/\n$/, '') ?? '';
      sendJson(response, 200, { choices: [{ message: { content: goal }, finish_reason: 'stop' }] });
    }),
  writes: () => openAiPlay(uses('write_file', { path: 'made.txt', content: '' }), submits(true)),
  tellsEnvironment: () =>
    openAiPlay(uses('run_command', { argv: node(ENVIRONMENT) }), (response, asked) => {
      const content = asked.messages.at(-1)?.content ?? '';
      sendJson(response, 200, { choices: [{ message: { content }, finish_reason: 'stop' }] });
    }),
});
