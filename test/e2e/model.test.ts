import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { modelServer, submits, uses } from '../worker-agent/support/model-server.ts';
import { personForTest } from './support/cli.ts';

const SPEC = `
goal: Count words
subtasks:
  - key: count
    goal: Write the number of words of "two words" to n.txt, and give it as n
    tool: openai-http
    result_schema: { type: object, properties: { n: { type: integer } }, required: [n], additionalProperties: false }
    verify: [[node, -e, "process.exit(Number(require('fs').readFileSync('n.txt', 'utf8')) === 2 ? 0 : 1)"]]
  - { key: next, goal: Go on, tool: scripted, input: { steps: [{ do: sum_inputs }] }, dependencies: [count] }
`;

describe('a subtask for a model', { timeout: 240_000 }, () => {
  it('is submitted, run with one repair turn and verified, and its result is passed on to its child', async () => {
    const person = await personForTest();
    const { url, asked } = await modelServer(uses('write_file', { path: 'n.txt', content: '2' }), submits({ words: 2 }), submits({ n: 2 }));
    const file = join(person.folder, 'task.yaml');
    await writeFile(file, SPEC);
    const tools = ['--tools', 'openai-http,scripted', '--exec-allow', 'node', '--openai-url', url, '--openai-model', 'a-model'];
    const secret = { MAW_OPENAI_KEY: 'sk-of-this-worker' };
    person.start(['worker', 'start', ...tools, '--enrol-token', await person.enrolToken(['openai-http', 'scripted'])], secret);

    const submitted = await person.maw(['submit', file, '--wait']);

    expect(submitted).toMatchObject({ code: 0 });
    const [task] = (await person.client.listTasks({ query: {} })).items;
    const { items } = await person.client.listSubtasks({ params: { task_id: task?.task_id ?? '' }, query: {} });
    expect(items.map(({ result }) => result)).toEqual([{ n: 2 }, { n: 2 }]);
    expect(asked).toHaveLength(3);
    expect(asked[0]?.headers.authorization).toBe('Bearer sk-of-this-worker');
    const count = await person.client.getSubtask({ params: { subtask_id: items[0]?.subtask_id ?? '' } });
    expect(count.attempt_list[0]?.usage).toEqual({ model: 'a-model', requests: 3, input_tokens: 30, output_tokens: 6 });
  });
});
