import { repeatCall } from '../../../../schema/client/client.ts';
import { EnrolmentSpec } from '../../../../schema/worker.ts';
import { CLIENT_SETTINGS, type Command, type CommandContext, texts, text } from '../command.ts';
import { checkSpec } from '../spec-file.ts';
import { EXIT, UsageError } from '../../terminal/command-error.ts';
import { joinUrl } from '../join-url.ts';

const labelOf = (pair: string): [string, string] => {
  const at = pair.indexOf('=');
  if (at < 1) throw new UsageError(`--labels ${pair} is not in the form key=value`, 'write it as --labels gpu=yes,site=home');
  return [pair.slice(0, at), pair.slice(at + 1)];
};

const ALLOW_HINT = 'exec runs only commands that are allowed on that machine; add them, such as --exec-allow git,node';

const quoted = (word: string): string => (/^[\w./:,=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Uses double quotes, which every shell supports, those of Windows too. */
const address = (url: string): string => (/^[\w./:#@-]+$/.test(url) ? `"${url}"` : quoted(url));

/** Not `npx maw`: where nothing is installed, it would download an unrelated package of that name and give it the token. */
const program = (): string => (import.meta.url.endsWith('.ts') ? 'node worker-agent/bin/maw.mjs' : 'maw');

const joinLine = (token: string, { url, tools, exec_allow }: CommandContext['config']): string => {
  const flags = ['--tools', tools.join(','), ...(exec_allow.length > 0 ? ['--exec-allow', exec_allow.join(',')] : [])];
  return [program(), 'worker join', address(joinUrl(url, token)), ...flags.map(quoted)].join(' ');
};

export const enrol: Command = {
  name: 'enrol',
  args: '',
  summary: 'Create an enrolment token, and print the command that enrols a worker with it',
  minArgs: 0,
  maxArgs: 0,
  settings: [...CLIENT_SETTINGS, 'tools', 'exec_allow'],
  options: {
    labels: {
      type: 'string',
      multiple: true,
      placeholder: 'K=V',
      help: 'Labels of the worker, separated by commas; may be repeated',
    },
    'expires-in': { type: 'string', placeholder: 'SECONDS', help: 'How long the token is valid [900]' },
  },
  run: async ({ io, client, config, options }) => {
    const pairs = texts(options, 'labels')
      .flatMap((it) => it.split(','))
      .filter(Boolean);
    const expires = text(options, 'expires-in');
    const spec = {
      tools: config.tools,
      labels: Object.fromEntries(pairs.map(labelOf)),
      ...(expires === undefined ? {} : { expires_in_seconds: Number(expires) }),
    };
    const body = checkSpec(spec, EnrolmentSpec);
    const token = await repeatCall((each) => client.createEnrolmentToken({ body }, each));
    if (config.json) io.out(JSON.stringify(token));
    else
      io.out(
        `enrolment token  ${token.enrolment_token}\nvalid until      ${token.expires_at}, for one worker\n\n` +
          `On the worker's machine, ${program() === 'maw' ? 'where this package is installed' : 'in a clone of this project'}:\n\n  ${joinLine(token.enrolment_token, config)}` +
          (config.tools.includes('exec') && config.exec_allow.length === 0 ? `\n\n${ALLOW_HINT}` : ''),
      );
    return EXIT.ok;
  },
};
