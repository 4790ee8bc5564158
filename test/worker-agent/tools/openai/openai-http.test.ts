import { execFileSync } from 'node:child_process';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Claimed } from '../../../../schema/attempt.ts';
import { toolsOf } from '../../../../worker-agent/src/cli/worker-setup.ts';
import { loadConfig } from '../../../../worker-agent/src/cli/load-config.ts';
import { createOpenAi, type OpenAiSettings } from '../../../../worker-agent/src/tools/openai/openai-http.ts';
import type { AgentAdapter } from '../../../../worker-agent/src/tools/adapter.ts';
import { agentForTest, folderForTest, holds } from '../../support/agent.ts';
import { startPlatform } from '../../support/fake-platform.ts';
import { type Act, modelServer, sendJson, submits, uses } from '../../support/model-server.ts';

type Given = { subtask?: Partial<Claimed>; settings?: Partial<OpenAiSettings>; prepare?: (workspace: string) => unknown };

const adapterFor = (url: string, settings: Partial<OpenAiSettings> = {}): AgentAdapter =>
  createOpenAi({
    url,
    model: 'a-model',
    key: 'sk-of-the-worker',
    stream: false,
    timeoutMs: 10_000,
    maxTurns: 8,
    retryWaitsMs: [],
    commands: { allow: [], roots: [] },
    ...settings,
  });

/** Runs a subtask with a model that follows a script; returns how it ended, the requests to the model and the log. */
const played = async (script: Act[], { subtask = {}, settings = {}, prepare }: Given = {}) => {
  const model = await modelServer(...script);
  const platform = await startPlatform();
  const { subtask_id } = platform.add({ tool: 'openai-http', ...subtask });
  const adapter = adapterFor(model.url, settings);
  const start: AgentAdapter['start'] = (job, host) => {
    const made = Promise.resolve(prepare?.(host.workspace));
    return { done: made.then(() => adapter.start(job, host).done) };
  };
  const worker = await agentForTest(platform, { tools: [prepare ? { ...adapter, start } : adapter] });
  await worker.finish();
  const log = (platform.logs.get(subtask_id) ?? []).map(({ content }) => content).join('');
  return { model, platform, log, ended: platform.ended.get(subtask_id), body: platform.ended.get(subtask_id)?.body };
};

describe('the tool openai-http', () => {
  it('sends the goal to the model of the worker with its key, and input and outputs of parents as data', async () => {
    const platform = await startPlatform();
    const inputs = platform.parent('before', { n: 1 });

    const { model, body } = await played([{ content: 'hello' }], {
      subtask: {
        goal: 'Say hello',
        inputs,
        input: { system: 'Be brief.', temperature: 0, language: 'German', model: 'dear', url: 'http://else' },
      },
    });

    expect(body.result).toBe('hello');
    expect(model.asked).toHaveLength(1);
    const [{ headers, body: asked } = {}] = model.asked;
    expect(headers?.authorization).toBe('Bearer sk-of-the-worker');
    expect(asked).toMatchObject({ model: 'a-model', temperature: 0 });
    expect(asked?.messages[0]?.content).toContain('Be brief.');
    expect(asked?.messages[1]?.content).toMatch(/^Say hello\n[^]*"n": 1[^]*"language": "German"/);
  });

  it.each([false, true])('uses tools in its workspace until it submits a result, streamed: %s', async (stream) => {
    const script = [
      {
        content: 'I look.',
        calls: [
          { name: 'list_files', arguments: {} },
          { name: 'read_file', arguments: { path: 'in.txt' } },
        ],
      },
      uses('write_file', { path: 'a/b/out.txt', content: 'WORDS' }),
      submits({ words: 2 }),
    ];

    const { model, body, log } = await played(script, {
      settings: { stream },
      prepare: (workspace) => writeFile(join(workspace, 'in.txt'), 'two words'),
      subtask: { tool: 'openai-http', verify: [['grep', '-q', 'WORDS', 'a/b/out.txt']] },
    });

    expect(body.result).toEqual({ words: 2 });
    expect(model.asked[1]?.body.messages.slice(-2).map(({ content }) => content)).toEqual(['in.txt', 'two words']);
    expect(body.usage).toEqual({ model: 'a-model', requests: 3, input_tokens: 30, output_tokens: 6 });
    expect(log).toMatch(/I look\.\nlist_files \.\nread_file in\.txt\nwrite_file a\/b\/out\.txt\nsubmit_result/);
  });

  it('reports incomplete usage if an answer contains none', async () => {
    const { body } = await played([uses('list_files', {}), { content: 'x', usage: null }]);
    expect(body.usage).toEqual({ model: 'a-model', requests: 2, input_tokens: 10, output_tokens: 2, incomplete: true });
  });

  it('reads JSON from the answer if there is a result schema, also inside a code fence', async () => {
    const result_schema = { type: 'object', required: ['n'] };
    const { body, model } = await played([{ content: 'Here:\n```json\n{"n": 1}\n```\n' }], { subtask: { result_schema } });

    expect(body.result).toEqual({ n: 1 });
    expect(model.said(0)).toContain(JSON.stringify(result_schema));
  });

  it('gets one more turn in the same session to correct its result', async () => {
    const { body, model } = await played([submits(1), submits('one')], { subtask: { result_schema: { type: 'string' } } });

    expect(body.result).toBe('one');
    expect(model.asked[1]?.body.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'user']);
    expect(model.said(1)).toContain('result: must be string, not integer');
  });

  it('stops at the maximum number of turns if the model never ends', async () => {
    const { body, model } = await played([uses('list_files', {})], { subtask: { input: { max_turns: 3 } } });
    expect(body).toMatchObject({ failure_class: 'budget', message: expect.stringContaining('turns'), usage: { requests: 3 } });
    expect(model.asked).toHaveLength(3);
  });

  it('never exceeds the maximum number of turns of the worker', async () => {
    const { model } = await played([uses('list_files', {})], { subtask: { input: { max_turns: 900 } }, settings: { maxTurns: 2 } });
    expect(model.asked).toHaveLength(2);
  });
});

describe('a forbidden tool call of the model', () => {
  it.each([
    ['read_file', { path: '../../secret' }],
    ['read_file', { path: '/etc/passwd' }],
    ['read_file', { path: 'way-out/passwd' }],
    ['list_files', { path: '/' }],
    ['list_files', { path: 'way-out' }],
    ['write_file', { path: '../outside', content: 'x' }],
    ['write_file', { path: 'way-out/maw-test', content: 'x' }],
    ['write_file', { path: 'dangling', content: 'x' }],
    ['write_file', { path: '.', content: 'x' }],
    ['write_file', { path: 'a\u0000b', content: 'x' }],
    ['read_file', { path: 'pipe' }],
    ['write_file', { path: 'pipe', content: 'x' }],
    ['read_file', {}],
    ['read_file', 'no JSON {'],
    ['run_command', { argv: ['id'] }],
    ['no_such_tool', {}],
  ])('%s with %j returns an error, and the model continues', async (name, given) => {
    const outside = await folderForTest();
    const { model, body } = await played([uses(name, given), submits('went on')], {
      prepare: async (workspace) => {
        await symlink('/etc', join(workspace, 'way-out'));
        await symlink(join(outside, 'made'), join(workspace, 'dangling'));
        execFileSync('mkfifo', [join(workspace, 'pipe')]);
      },
    });

    expect(model.said(1)).toMatch(/^error: ./);
    expect(body.result).toBe('went on');
    await expect(readFile(join(outside, 'made'))).rejects.toThrow('ENOENT');
  });

  it('of run_command is a command that the worker does not allow; allowed ones run', async () => {
    const settings = { commands: { allow: ['node'], roots: [] } };
    const script = [
      uses('run_command', { argv: ['node', '-p', 'Object.keys(process.env).join()'] }),
      uses('run_command', { argv: ['sh', '-c', 'id'] }),
      uses('run_command', { argv: ['node', '-e', 'setInterval(()=>{},1000)'], timeout_seconds: 1 }),
      submits(true),
    ];

    const { model, body } = await played(script, { settings });

    expect(model.said(1)).toMatch(/^exit code 0\n.*MAW_SUBTASK_ID/);
    expect(model.said(2)).toContain('does not allow the command sh');
    expect(model.said(3)).toContain('stopped after 1 s');
    expect(body.result).toBe(true);
  });

  it('is every call above the limit for one turn', async () => {
    const calls = Array.from({ length: 40 }, () => ({ name: 'list_files', arguments: {} }));
    const { model } = await played([{ calls }, submits(1)]);
    expect(model.asked[1]?.body.messages.filter(({ content }) => content?.startsWith('error: at most 32'))).toHaveLength(8);
  });
});

const answers =
  (status: number, body: unknown): Act =>
  (response) =>
    sendJson(response, status, body);
const raw =
  (text: string, type = 'application/json'): Act =>
  (response) =>
    void response.writeHead(200, { 'content-type': type }).end(text);
const streamed = (...data: string[]) => raw(data.map((it) => `data: ${it}\n\n`).join(''), 'text/event-stream');
const part = (content: string, finish_reason: string | null = null) => JSON.stringify({ choices: [{ delta: { content }, finish_reason }] });

describe('a model server that misbehaves', () => {
  it.each<[string, Act, string, string]>([
    ['rejects the key', answers(401, { error: { message: 'bad key' } }), 'auth', 'bad key'],
    ['forbids access', answers(403, {}), 'auth', '--openai-key'],
    ['is rate limited', answers(429, { error: { message: 'slow down' } }), 'rate_limited', 'slow down'],
    ['has no quota left', answers(429, { error: { message: 'no', code: 'insufficient_quota' } }), 'budget', 'account'],
    ['fails', answers(500, { error: 'out of memory' }), 'model_unavailable', 'out of memory'],
    ['is loading', answers(503, {}), 'model_unavailable', '503'],
    ['has no such model', answers(404, { error: { message: 'model not found' } }), 'model_unavailable', '--openai-model'],
    [
      'rejects a prompt that is too long',
      answers(400, { message: "This model's maximum context length is 8 tokens", code: 400 }),
      'budget',
      'too long',
    ],
    ['rejects the request', answers(422, { detail: 'tools?' }), 'tool_error', 'tools?'],
    ['redirects', (response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'tool_error', '302'],
    ['returns an HTML page', raw('<html>It works!</html>', 'text/html'), 'model_unavailable', 'not JSON'],
    ['returns incomplete JSON', raw('{"choices": [{"mess'), 'model_unavailable', 'not JSON'],
    ['returns other JSON', raw('{"choices": "none"}'), 'model_unavailable', 'not a chat completion'],
    ['returns no message', raw('{"choices": []}'), 'model_unavailable', 'no message'],
    ['returns an error with status 200', raw('{"error": {"message": "overloaded"}}'), 'model_unavailable', 'overloaded'],
    ['returns an empty text', { content: ' ' }, 'invalid_result', 'there is none'],
    ['filters the answer', { content: 'I', finish: 'content_filter' }, 'denied', 'refused'],
    ['cuts the answer off', { ...submits(1), finish: 'length' }, 'budget', 'cut off'],
    ['drops the connection', (response) => void response.socket?.destroy(), 'model_unavailable', 'ECONNRESET'],
    [
      'drops the connection in the middle of a response',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1_000 });
        response.write('{"choices":', () => response.socket?.destroy());
      },
      'model_unavailable',
      'cannot be reached',
    ],
    ['ends a stream early', streamed(part('I was'), part(' about to')), 'model_unavailable', 'ended the stream before'],
    ['streams nonsense', streamed(part('I was'), '{nonsense'), 'model_unavailable', 'not JSON'],
    ['streams an error', streamed(part('I was'), '{"error":{"message":"gone"}}'), 'model_unavailable', 'gone'],
  ])('fails the subtask with a failure class when it %s', async (_, act, failure_class, message) => {
    const { body, ended } = await played([act], { settings: { stream: true } });

    expect({ kind: ended?.kind, ...body }).toMatchObject({ kind: 'failed', failure_class, message: expect.stringContaining(message) });
    expect(body.usage.requests).toBeGreaterThan(0);
    expect(JSON.stringify(body)).not.toContain('sk-of-the-worker');
  });

  it.each<[string, Act]>([
    ['never responds', () => {}],
    [
      'never ends its response',
      (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${part('I')}\n\n`),
    ],
  ])('times out when it %s', async (_, act) => {
    const { body } = await played([act], { settings: { timeoutMs: 300, stream: true } });
    expect(body).toMatchObject({ failure_class: 'model_unavailable', message: expect.stringContaining('--openai-timeout-ms') });
  });

  it('fails the subtask when its response is too long', async () => {
    const flood: Act = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const line = `data: ${part('x'.repeat(100_000))}\n\n`;
      const pour = () => {
        while (!response.destroyed && response.write(line));
        if (!response.destroyed) response.once('drain', pour);
      };
      pour();
    };
    const { body } = await played([flood], { settings: { stream: true } });
    expect(body).toMatchObject({ failure_class: 'model_unavailable', message: expect.stringContaining('longer than') });
  });

  it('that does not exist fails the subtask as model_unavailable', async () => {
    const { body } = await played([], { settings: { url: 'http://127.0.0.1:1/v1' } });
    expect(body).toMatchObject({ failure_class: 'model_unavailable', message: expect.stringContaining('ECONNREFUSED') });
  });

  it('is retried after it was busy or unavailable', async () => {
    const script: Act[] = [answers(429, {}), (response) => void response.socket?.destroy(), answers(503, {}), { content: 'at last' }];

    const { body, log } = await played(script, { settings: { retryWaitsMs: [1, 1, 1] } });

    expect(body).toMatchObject({ result: 'at last', usage: { requests: 4, incomplete: true } });
    expect(log).toContain('retrying in');
  });

  it('is timed out if it sends nothing for too long, and the connection is closed', async () => {
    let isClosed = false;
    const hangs: Act = (response) => {
      response.on('close', () => {
        isClosed = true;
      });
    };

    const { body } = await played([hangs], { subtask: { first_event_timeout_seconds: 1 } });

    expect(body).toMatchObject({ failure_class: 'timed_out', message: expect.stringContaining('first_event_timeout_seconds') });
    await holds(() => isClosed);
  });
});

describe('a streamed answer', () => {
  it('counts as the first event at its first part; the idle timeout applies after that', async () => {
    const begins: Act = (response) =>
      void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${part('I was')}\n\n`);

    const { body } = await played([begins], {
      settings: { stream: true, timeoutMs: 60_000 },
      subtask: { first_event_timeout_seconds: 20, idle_timeout_seconds: 1 },
    });

    expect(body).toMatchObject({ failure_class: 'timed_out', message: expect.stringContaining('idle_timeout_seconds') });
  });
});

describe('the settings of the worker for openai-http', () => {
  const tools = (flags: Record<string, string | string[]>) =>
    toolsOf(loadConfig({ flags: { tools: ['openai-http'], ...flags }, env: {} }).config);

  it('set the server and the model', async () => {
    const { url } = await modelServer();
    const [adapter] = tools({ openai_url: `${url}/`, openai_model: 'a-model' });
    expect(await adapter?.probe()).toMatchObject([{ level: 'ok' }]);
  });

  it.each([{}, { openai_model: 'a-model' }, { openai_url: 'http://127.0.0.1:1' }])('are rejected if one is missing: %j', (flags) => {
    expect(() => tools(flags)).toThrow('requires --openai-url and --openai-model');
  });
});

describe('the doctor check of openai-http', () => {
  it('reports whether the model exists', async () => {
    const { url } = await modelServer();

    expect(await adapterFor(url).probe()).toMatchObject([{ level: 'ok', message: expect.stringContaining('a-model') }]);
    expect(await adapterFor(url, { model: 'another' }).probe()).toMatchObject([
      { level: 'fail', message: expect.stringContaining('no model another') },
    ]);
    expect(await adapterFor('http://127.0.0.1:1/v1').probe()).toMatchObject([
      { level: 'fail', message: expect.stringContaining('ECONNREFUSED') },
    ]);
  });
});
