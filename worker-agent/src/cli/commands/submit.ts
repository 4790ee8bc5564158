import { repeatCall } from '../../../../schema/client/client.ts';
import { TaskSpec } from '../../../../schema/task.ts';
import { CLIENT_SETTINGS, type Command, type Options, text } from '../command.ts';
import { checkSpec, readSpec } from '../spec-file.ts';
import { EXIT, UsageError } from '../../terminal/command-error.ts';
import { follow } from '../follow-task.ts';
import { taskText } from '../show.ts';

const isFile = (what: string) => what === '-' || /\.(ya?ml|json)$/i.test(what);

const inputOf = (options: Options): unknown => {
  const given = text(options, 'input');
  if (given === undefined) return undefined;
  try {
    return JSON.parse(given);
  } catch (cause) {
    throw new UsageError(`--input is not JSON: ${(cause as Error).message}`, 'give an object such as \'{"argv":["git","--version"]}\'', {
      cause,
    });
  }
};

const ofGoal = (goal: string, options: Options) => {
  const priority = text(options, 'priority');
  const given = {
    goal,
    tool: text(options, 'tool'),
    input: inputOf(options),
    priority: priority === undefined ? undefined : Number(priority),
  };
  return checkSpec(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)), TaskSpec);
};

const ofFile = (file: string, options: Options) => {
  const misplaced = ['tool', 'input', 'priority'].filter((name) => options[name] !== undefined);
  if (misplaced.length > 0) throw new UsageError(`--${misplaced[0]} is only for a goal in quotes`, `set it in ${file}`);
  return readSpec(file, TaskSpec);
};

export const submit: Command = {
  name: 'submit',
  args: '"GOAL" | FILE.yaml | FILE.json | -',
  summary: 'Submit a task: a goal in quotes, or a file with its DAG (- for stdin)',
  details: 'A file is checked on this machine first; each error is reported with its line and its path.',
  minArgs: 1,
  maxArgs: 1,
  settings: [...CLIENT_SETTINGS, 'poll_ms'],
  options: {
    wait: { type: 'boolean', short: 'w', help: 'Follow the task to its end; exit code 0 only when it completed' },
    tool: { type: 'string', placeholder: 'NAME', help: 'For a goal: the tool' },
    input: { type: 'string', placeholder: 'JSON', help: 'For a goal: the input of the tool' },
    priority: { type: 'string', placeholder: '0-9', help: 'For a goal: the priority; higher runs first' },
    'idempotency-key': { type: 'string', placeholder: 'KEY', help: 'Submitting again with the same key creates no second task' },
  },
  run: async (context) => {
    const { args, options, client, io, config } = context;
    const [what = ''] = args;
    const body = isFile(what) ? ofFile(what, options) : ofGoal(what, options);
    const key = text(options, 'idempotency-key');
    const task = await repeatCall((each) => client.submitTask({ body }, key === undefined ? each : { idempotencyKey: key }));
    if (options.wait === true) {
      if (!config.json) io.out(`task ${task.task_id}`);
      return follow(context, task.task_id);
    }
    io.out(config.json ? JSON.stringify(task) : `${taskText(io, task)}\n\nnext: maw watch ${task.task_id}`);
    return EXIT.ok;
  },
};
