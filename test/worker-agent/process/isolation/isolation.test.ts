import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Isolation } from '../../../../worker-agent/src/process/isolation/isolation.ts';
import { agentForTest, folderForTest } from '../../support/agent.ts';
import { bwrapWith, NO_BWRAP } from '../../support/bwrap.ts';
import { startPlatform } from '../../support/fake-platform.ts';

type Given = { isolation?: Isolation; roots?: string[]; logins?: string[]; env?: Record<string, string> };

/** Runs a shell script as a subtask and returns its output. */
const sh = async (script: string, { isolation = { kind: 'env' }, roots = [], logins = [], env = {} }: Given = {}) => {
  const platform = await startPlatform();
  const subtask = platform.add({ tool: 'exec', input: { argv: ['sh', '-c', script], result: 'text', env } });
  const worker = await agentForTest(platform, { exec: { roots, logins }, settings: { isolation } });
  await worker.finish();
  return { said: (platform.output(subtask) as string).split('\n'), worker };
};

afterEach(() => void vi.unstubAllEnvs());

describe.skipIf(process.platform === 'win32')('a command', () => {
  it('has a home and a temporary folder of its attempt, with paths short enough for sockets, which are removed with it', async () => {
    const { said, worker } = await sh('echo "$HOME"; echo "$TMPDIR"; echo x > "$HOME/.cache"; echo x > "$TMPDIR/file"; pwd');

    const [home = '', temporary = '', cwd = ''] = said;
    for (const folder of [home, temporary, cwd]) expect(folder.startsWith(`${worker.workspaces}/`)).toBe(true);
    expect(new Set(said).size).toBe(3);
    expect(temporary.length - worker.workspaces.length).toBeLessThan(25);
    await expect.poll(() => readdir(worker.workspaces), { timeout: 10_000 }).toEqual([]);
  });

  it('gets the network settings, and nothing else from the environment of the worker', async () => {
    vi.stubEnv('https_proxy', 'http://proxy.test:1');
    vi.stubEnv('MAW_API_KEY', 'mak_canary');
    vi.stubEnv('CANARY', 'canary');

    const { said } = await sh('env');

    expect(said).toContain('https_proxy=http://proxy.test:1');
    expect(said.join('\n')).not.toContain('canary');
  });

  it('has the environment and the home folder of the worker without isolation, but none of its tokens', async () => {
    vi.stubEnv('MAW_API_KEY', 'mak_canary');
    vi.stubEnv('CANARY', 'canary');

    const { said } = await sh('env', { isolation: { kind: 'none' }, env: { DECLARED: 'yes' } });

    expect(said).toEqual(expect.arrayContaining(['CANARY=canary', `HOME=${process.env.HOME}`, 'DECLARED=yes', 'CI=1']));
    expect(said.join('\n')).not.toContain('mak_canary');
  });

  it('finds the login files that its tool declares in its home folder, and its changes to them are kept', async () => {
    const home = await folderForTest();
    vi.stubEnv('HOME', home);
    await mkdir(join(home, '.tool'));
    await writeFile(join(home, '.tool/login'), 'old');
    await writeFile(join(home, '.private'), 'secret');

    const { said } = await sh('cat "$HOME/.tool/login"; echo; ls -A "$HOME"; echo new > "$HOME/.tool/login"', {
      logins: ['.tool/login', '.missing'],
    });

    expect(said).toEqual(['old', '.tool']);
    expect(await readFile(join(home, '.tool/login'), 'utf8')).toBe('new\n');
    expect(await readFile(join(home, '.private'), 'utf8')).toBe('secret');
  });
});

describe.skipIf(NO_BWRAP !== null)('a command in bubblewrap', () => {
  it('can write to its own folders and to those that the owner allowed, and nowhere else', async () => {
    const [outside, root] = [await folderForTest(), await folderForTest()];
    const folders = ['.', '$HOME', '$TMPDIR', '/tmp', root, outside, '/etc', '/var/lib'];
    const script = `for folder in ${folders.map((it) => `"${it}"`).join(' ')}; do
      mkdir -p "$folder" 2>/dev/null; (echo x > "$folder/maw-written") 2>/dev/null && echo "$folder"; done; true`;

    const { said } = await sh(script, { isolation: await bwrapWith({ roots: [root] }) });

    // /tmp is its own temporary folder, so the command can create the folder there.
    expect(said.map((it) => (it.startsWith('/') ? it.split('/').pop() : it))).toEqual([
      '.',
      'home',
      'tmp',
      'tmp',
      basename(root),
      basename(outside),
    ]);
    expect(await readdir(outside)).toEqual([]);
    expect(await readdir(root)).toEqual(['maw-written']);
    for (const folder of ['/etc', '/var/lib', '/tmp']) expect(await readdir(folder)).not.toContain('maw-written');
  });

  it('sees only its own processes, and nothing that is hidden from it', async () => {
    const network = 'systemd|NetworkManager|resolvconf|current-system|wrappers';
    const script = `ls -d /proc/[0-9]* | wc -l; ls -A /usr/share | wc -l; cat /etc/passwd 2>/dev/null | wc -c; ls -A /run | grep -cvE '${network}'; true`;

    const { said } = await sh(script, { isolation: await bwrapWith({ hidden: ['/usr/share', '/etc/passwd', '/no/such/folder'] }) });

    expect(Number(said[0])).toBeLessThan(8);
    expect(said.slice(1)).toEqual(['0', '0', '0']);
  });

  it('passes arguments, folder and exit code unchanged', async () => {
    const platform = await startPlatform();
    const argv = ['sh', '-c', 'echo "$1"; pwd; exit 7', 'sh', '--bind / /'];
    const subtask = platform.add({ tool: 'exec', input: { argv } });
    const worker = await agentForTest(platform, { settings: { isolation: await bwrapWith() } });

    await worker.finish();

    const [line] = platform.logs.get(subtask.subtask_id) ?? [];
    expect(line?.content).toMatch(new RegExp(`^--bind / /\n${worker.workspaces}/.*/work\n$`));
    expect(platform.ended.get(subtask.subtask_id)?.body.message).toContain('exit code 7');
  });

  it('receives a signal to stop before it is killed', async () => {
    const root = await folderForTest();
    const platform = await startPlatform();
    const script = `trap 'echo asked > ${root}/asked; exit 0' INT; echo ready; while :; do sleep 0.1; done`;
    const silence = { idle_timeout_seconds: 1, first_event_timeout_seconds: 60 };
    platform.add({ tool: 'exec', input: { argv: ['sh', '-c', script] }, ...silence });
    const settings = { isolation: await bwrapWith({ roots: [root] }), killGraceMs: 5_000 };
    const worker = await agentForTest(platform, { settings });

    await worker.finish();

    expect(await readFile(join(root, 'asked'), 'utf8')).toBe('asked\n');
  });
});
