import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PROGRAM, startRealRedis } from '../local/support/redis.ts';

const ROOT = join(import.meta.dirname, '../..');
const isWindows = process.platform === 'win32';

/** A temporary folder, and a function that runs the demo in it until it exits. */
const demoForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-demo-test-'));
  await chmod(folder, 0o711); // as root, Postgres runs as another user, which needs access to its data inside this folder
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const temporary = join(folder, 'tmp');
  await mkdir(temporary);
  return {
    folder,
    run: async (
      command: string,
      args: readonly string[],
      env: Record<string, string> = {},
      onOutput: (output: string) => void = () => {},
    ) => {
      const folders = { TMPDIR: temporary, TEMP: temporary, TMP: temporary, NODE_DISABLE_COMPILE_CACHE: '1' }; // npm keeps its cache there
      const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...folders, ...env }, shell: isWindows });
      onTestFinished(() => void child.kill('SIGTERM'));
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => onOutput((output += chunk.toString())));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, output };
    },
    /** Files that the demo left behind and, on Linux, processes whose command line names its folder. */
    left: async () => {
      const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
      const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
      return [...(await readdir(temporary)), ...commands.filter((command) => command.includes(temporary))];
    },
  };
};

/** A `node` that reports a wrong number of words for one file, and otherwise runs the real one. */
const miscountingNode = async (folder: string): Promise<string> => {
  const path = join(folder, 'bin');
  await mkdir(path);
  const script = `#!/bin/sh
case "$*" in
  *count-words*schema/states.ts*) "${process.execPath}" "$@" | sed 's/"words":/&1/' ;;
  *) exec "${process.execPath}" "$@" ;;
esac
`;
  await writeFile(join(path, 'node'), script, { mode: 0o755 });
  return path;
};

const SUMMARY = [
  /tasks completed +24 of 24$/m,
  /subtasks +\d{3}$/m,
  /retries +2$/m,
  /workers +10$/m,
  /time +\d+\.\d\d s$/m,
  /parallel efficiency +[01]\.\d{3} /m,
  /dispatch latency +p50 \d+ ms, p95 \d+ ms /m,
];
const verdicts = (output: string, verdict: 'right' | 'WRONG') => output.match(new RegExp(` 2?\\d/\\d .* ${verdict}$`, 'gm')) ?? [];

describe('npm run demo -- --exit', { timeout: 300_000 }, () => {
  it('completes 24 tasks, finds every output right, prints a summary and leaves nothing behind', async () => {
    const demo = await demoForTest();

    const { code, output } = await demo.run('npm', ['run', 'demo', '--', '--exit']);

    expect(output).toContain('Every task completed and every output is correct.');
    expect(code).toBe(0);
    expect(verdicts(output, 'right')).toHaveLength(24);
    for (const line of SUMMARY) expect(output).toMatch(line);
    expect(await demo.left()).toEqual([]);
  });

  it.skipIf(PROGRAM === null)('completes normally when Redis is killed permanently halfway through', async () => {
    const demo = await demoForTest();
    const redis = await startRealRedis();
    let killing: Promise<void> | null = null;
    onTestFinished(() => redis.close());

    const { code, output } = await demo.run('npm', ['run', 'demo', '--', '--exit'], { REDIS_URL: redis.url }, (text) => {
      if (/[1-9]\d*\/\d{3} subtasks/.test(text)) killing ??= redis.close();
    });

    expect(killing).not.toBeNull();
    expect(output).toContain('Every task completed and every output is correct.');
    expect(code).toBe(0);
    for (const line of SUMMARY) expect(output).toMatch(line);
    expect(await demo.left()).toEqual([]);
  });

  it.skipIf(isWindows)('exits with 1 when a single output is wrong', async () => {
    const demo = await demoForTest();
    const path = `${await miscountingNode(demo.folder)}${delimiter}${process.env.PATH}`;

    const { code, output } = await demo.run(process.execPath, ['local/demo/main.ts', '--exit'], { PATH: path });

    expect(output).toContain('Something is wrong: see the table above.');
    expect(code).toBe(1);
    expect(verdicts(output, 'WRONG')).toHaveLength(1);
    expect(verdicts(output, 'right')).toHaveLength(23);
    expect(await demo.left()).toEqual([]);
  });
});
