import { readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Claimed } from '../../../../schema/attempt.ts';
import type { Json } from '../../../../schema/json.ts';
import { agentForTest, folderForTest, holds } from '../../support/agent.ts';
import { startPlatform } from '../../support/fake-platform.ts';

type Given = Parameters<typeof agentForTest>[1];

/** Runs one exec subtask with a piece of JavaScript; returns how it ended. */
const exec = async (script: string, input: Record<string, Json> = {}, more: Partial<Claimed> = {}, given: Given = {}) => {
  const platform = await startPlatform();
  const subtask = platform.add({ tool: 'exec', input: { argv: [process.execPath, '-e', script], ...input }, ...more });
  const worker = await agentForTest(platform, given);
  await worker.finish();
  const ended = platform.ended.get(subtask.subtask_id);
  return { platform, subtask, worker, ended, result: ended?.body.result, failure: ended?.body };
};

describe('the tool exec', () => {
  it('passes goal, input and the outputs of the parents on stdin, and reads the result as JSON from stdout', async () => {
    const platform = await startPlatform();
    const script =
      'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>{const j=JSON.parse(t);console.log(JSON.stringify({goal:j.goal,more:j.input.more,from:j.inputs.a}))})';
    const subtask = platform.add({
      tool: 'exec',
      goal: 'g',
      inputs: platform.parent('a', { n: 1 }),
      input: { argv: [process.execPath, '-e', script], more: 7 },
    });
    const worker = await agentForTest(platform);

    await worker.finish();

    expect(platform.output(subtask)).toEqual({ goal: 'g', more: 7, from: { n: 1 } });
  });

  it('reads output that is not JSON as text, without the last newline', async () => {
    expect((await exec('console.log("hello")')).result).toBe('hello');
  });

  it('passes arguments unchanged, without a shell', async () => {
    const hostile = '$(touch x); `id` && "quoted" *';
    expect(
      (
        await exec('console.log(process.argv[1])', {
          argv: [process.execPath, '-e', 'console.log(process.argv[1])', hostile],
          result: 'text',
        })
      ).result,
    ).toBe(hostile);
  });

  it('reads the result from the file named by MAW_RESULT_FILE if it was written', async () => {
    const { result } = await exec(
      'require("fs").writeFileSync(process.env.MAW_RESULT_FILE,JSON.stringify({from:"file"}));console.log("noise")',
    );
    expect(result).toEqual({ from: 'file' });
  });

  it('reads the result from result_file, and fails if that is missing', async () => {
    const input = { result: 'file', result_file: 'out.json' };
    expect((await exec('require("fs").writeFileSync("out.json","[1]")', input)).result).toEqual([1]);
    expect((await exec('0', input)).failure).toMatchObject({
      failure_class: 'invalid_result',
      message: expect.stringContaining('out.json'),
    });
  });

  it('refuses a result file that leads out of the workspace', async () => {
    const { failure } = await exec('require("fs").symlinkSync("/etc/passwd",process.env.MAW_RESULT_FILE)');
    expect(failure).toMatchObject({ failure_class: 'denied' });
  });

  it('fails with the exit code and the end of stderr', async () => {
    const { failure } = await exec('console.error("it broke");process.exit(3)');
    expect(failure).toMatchObject({ failure_class: 'tool_error', message: expect.stringMatching(/exit code 3\nit broke$/) });
  });

  it('fails as invalid_result if the result must be JSON and is not', async () => {
    expect((await exec('console.log("{")', { result: 'json' })).failure).toMatchObject({ failure_class: 'invalid_result' });
  });

  it('keeps both streams as the log of the attempt', async () => {
    const { platform, subtask } = await exec('console.log("out");console.error("err")');
    const streams = (platform.logs.get(subtask.subtask_id) ?? []).map(({ stream, content }) => `${stream}: ${content}`);
    expect(streams.toSorted()).toEqual(['stderr: err\n', 'stdout: out\n']);
  });

  it('runs nothing by default, and names the flag that allows a command', async () => {
    const { failure } = await exec('0', {}, {}, { exec: { allow: [] } });
    expect(failure).toMatchObject({ failure_class: 'denied', message: expect.stringContaining('--exec-allow') });
  });

  it('runs only commands that are allowed by name or by absolute path', async () => {
    const allow = { exec: { allow: ['node', '/bin/true'] } };
    expect((await exec('', { argv: ['node', '-p', '1'] }, {}, allow)).result).toBe(1);
    expect((await exec('', { argv: ['/bin/true'] }, {}, allow)).ended?.kind).toBe('completed');
    expect((await exec('', { argv: ['true'] }, {}, { exec: { allow: ['echo'] } })).failure).toMatchObject({ failure_class: 'denied' });
    expect((await exec('', { argv: ['./node'] }, {}, allow)).failure).toMatchObject({ failure_class: 'denied' });
  });

  it('fails as spawn_failed if an allowed command does not exist', async () => {
    const { failure } = await exec('', { argv: ['no-such-command'] }, {}, { exec: { allow: ['no-such-command'] } });
    expect(failure).toMatchObject({ failure_class: 'spawn_failed', message: expect.stringContaining('PATH') });
  });

  it('runs only in the workspace or in an allowed folder', async () => {
    const root = await folderForTest();
    await symlink('/', join(root, 'out'));
    const where = 'console.log(process.cwd())';
    const given = { exec: { roots: [root] } };
    expect((await exec(where, { cwd: root, result: 'text' }, {}, given)).result).toBe(root);
    expect((await exec(where, { cwd: join(root, 'out') }, {}, given)).failure).toMatchObject({ failure_class: 'denied' });
    expect((await exec(where, { cwd: '/' }, {}, given)).failure).toMatchObject({
      failure_class: 'denied',
      message: expect.stringContaining('--exec-root'),
    });
    expect((await exec(where, { cwd: '..' })).failure).toMatchObject({ failure_class: 'denied' });
  });

  it('provides a clean environment, without variables of the worker and without credentials', async () => {
    process.env.SECRET_CANARY = 'canary';
    const { result, platform, subtask } = await exec('console.log(JSON.stringify(process.env))', { env: { DECLARED: 'yes' } });
    delete process.env.SECRET_CANARY;

    expect(result).toMatchObject({
      DECLARED: 'yes',
      TERM: 'dumb',
      NO_COLOR: '1',
      CI: '1',
      MAW_SUBTASK_ID: subtask.subtask_id,
      MAW_ATTEMPT: '1',
    });
    expect(
      Object.keys(result).filter(
        (name) =>
          !/^(PATH|HOME|TMPDIR|LANG|TERM|NO_COLOR|CI|DECLARED|MAW_\w+|__CF.*|NODE_EXTRA_CA_CERTS|SSL_CERT_\w+|\w+_PROXY)$/i.test(name),
      ),
    ).toEqual([]);
    expect(JSON.stringify(result)).not.toContain(platform.worker.credential);
    expect(JSON.stringify(result)).not.toContain(subtask.lease_token);
  });

  it('rejects variables that change which program runs', async () => {
    expect((await exec('0', { env: { LD_PRELOAD: '/x.so' } })).failure).toMatchObject({
      failure_class: 'denied',
      message: expect.stringContaining('LD_PRELOAD'),
    });
  });

  it('reports errors in its input with their paths', async () => {
    expect((await exec('', { argv: [] })).failure).toMatchObject({
      failure_class: 'invalid_result',
      message: expect.stringContaining('input.argv: must contain the command to run'),
    });
    expect((await exec('', { stdin: 'maybe' })).failure.message).toContain('input.stdin');
  });

  it('stops a command that prints nothing for too long, with all of its descendants', async () => {
    const folder = await folderForTest();
    const file = join(folder, 'pids');
    const child = `process.on("SIGTERM",()=>{});process.on("SIGINT",()=>{});setInterval(()=>{},1000)`;
    const script = `const {spawn}=require("child_process");const c=spawn(process.execPath,["-e",${JSON.stringify(child)}],{stdio:"inherit"});
      const d=spawn(process.execPath,["-e",${JSON.stringify(child)}],{stdio:"inherit",detached:true});
      require("fs").writeFileSync(${JSON.stringify(file)},[process.pid,c.pid,d.pid].join(" "));console.log("begun");${child}`;

    const { failure } = await exec(script, {}, { idle_timeout_seconds: 1, first_event_timeout_seconds: 60 });

    expect(failure).toMatchObject({ failure_class: 'timed_out' });
    const pids = (await readFile(file, 'utf8')).split(' ').map(Number);
    expect(pids).toHaveLength(3);
    await holds(() => pids.every((pid) => !isAlive(pid)));
  });

  it('stops the command when the lease is lost', async () => {
    const platform = await startPlatform();
    const folder = await folderForTest();
    const file = join(folder, 'pid');
    const script = `require("fs").writeFileSync(${JSON.stringify(file)},String(process.pid));setInterval(()=>{},1000)`;
    const subtask = platform.add({ tool: 'exec', input: { argv: [process.execPath, '-e', script] } });
    const worker = await agentForTest(platform);
    void worker.run();
    await holds(() => platform.given.size > 0);
    const pid = Number(await untilWritten(file));

    platform.lost.add(subtask.subtask_id);

    await holds(() => !isAlive(pid) && worker.agent.running === 0);
    expect(platform.ended.size).toBe(0);
    await expect.poll(() => readdir(worker.workspaces), { timeout: 10_000 }).toEqual([]);
  });

  it('sends a large result as an artifact, and fails above the limit of the worker', async () => {
    const { platform, failure } = await exec('process.stdout.write("x".repeat(400000))', { result: 'text' });
    expect(JSON.parse(platform.blobs.get(failure.result_artifact_id)?.toString() ?? '')).toHaveLength(400_000);
    const tooMuch = await exec('process.stdout.write("x".repeat(400000))', {}, {}, { exec: { maxResultBytes: 100_000 } });
    expect(tooMuch.failure).toMatchObject({ failure_class: 'tool_error', message: expect.stringContaining('--max-result-bytes') });
  });

  it('keeps the workspace if that is configured', async () => {
    const { worker } = await exec('require("fs").writeFileSync("left","x")', {}, {}, { settings: { keepWorkspaces: true } });
    const [attempt = ''] = await readdir(worker.workspaces);
    expect(await readFile(join(worker.workspaces, attempt, 'work', 'left'), 'utf8')).toBe('x');
  });
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const untilWritten = async (file: string): Promise<string> => {
  let text = '';
  await holds(() => {
    void readFile(file, 'utf8').then(
      (read) => {
        text = read;
      },
      () => {},
    );
    return text !== '';
  });
  return text;
};
