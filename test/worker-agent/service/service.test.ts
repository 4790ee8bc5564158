import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { joinUrl } from '../../../worker-agent/src/cli/join-url.ts';
import { loadConfig } from '../../../worker-agent/src/cli/load-config.ts';
import { plistOf } from '../../../worker-agent/src/service/launchd.ts';
import { planOf } from '../../../worker-agent/src/service/manager.ts';
import { type Service, serviceOf } from '../../../worker-agent/src/service/service.ts';
import { unitOf } from '../../../worker-agent/src/service/systemd.ts';
import { StateFile } from '../../../worker-agent/src/agent/state-file.ts';
import { ended } from '../../e2e/support/cli.ts';
import { run, until } from '../../support/processes.ts';
import { folderForTest } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';
import { readPlist } from '../support/plist.ts';
import { execStartOf } from '../support/unit.ts';

const SERVICE: Service = {
  id: 'maw-worker-one',
  description: 'worker one',
  argv: ['/usr/bin/node', '/opt/maw', 'worker', 'start'],
  path: '/usr/bin:/bin',
  stopSeconds: 180,
  account: undefined,
};
const hasSystemd = existsSync('/usr/bin/systemd-analyze');

const words = fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), { minLength: 1, maxLength: 5 });

describe('the unit for systemd', () => {
  it('starts exactly the given arguments, whatever characters they contain', () => {
    fc.assert(
      fc.property(words, (args) => {
        const argv = ['/usr/bin/node', ...args];
        expect(execStartOf(unitOf({ ...SERVICE, argv }))).toEqual(argv);
      }),
    );
  });

  it('keeps each setting on one line, so that no other setting can be injected', () => {
    const unit = unitOf({ ...SERVICE, description: 'one\nExecStartPre=/bin/evil', path: '/a\n[Install]' });
    expect(unit).toContain('\nDescription=one ExecStartPre=/bin/evil\n');
    expect(unit).not.toMatch(/^ExecStartPre|^\[Install\][\s\S]*^\[Install\]/m);
  });

  it('allows time to drain, and does not restart after errors that a restart cannot fix', () => {
    expect(unitOf(SERVICE).split('\n')).toEqual(
      expect.arrayContaining([
        'Restart=on-failure',
        'RestartPreventExitStatus=2 4',
        'KillMode=mixed',
        'TimeoutStopSec=180',
        'WantedBy=default.target',
      ]),
    );
  });

  it.skipIf(!hasSystemd).each([
    ['a user', undefined],
    ['the system', 'root'],
  ])('is accepted by the manager of %s', async (_, account) => {
    const folder = await folderForTest();
    const file = join(folder, 'maw-worker-one.service');
    await writeFile(file, unitOf({ ...SERVICE, account, argv: [process.execPath, 'a b', '100%', '$HOME', 'say "hi"'] }));

    const manager = account === undefined ? ['--user'] : [];
    const verify = `systemd-analyze verify ${manager.join(' ')} '${file}' 2>&1`;
    const output = execFileSync('sh', ['-c', verify], { encoding: 'utf8', env: { ...process.env, XDG_RUNTIME_DIR: folder } });

    const complaints = output.split('\n').filter((line) => line.includes('maw-worker-one') && !/Restart(Steps|MaxDelaySec)/.test(line));
    expect(complaints).toEqual([]);
  });
});

describe('the property list for launchd', () => {
  it('contains the same settings', () => {
    expect(readPlist(plistOf({ ...SERVICE, account: 'maw' }, '/log'))).toEqual({
      Label: 'multi-agent-on-the-web.maw-worker-one',
      ProgramArguments: [...SERVICE.argv],
      UserName: 'maw',
      EnvironmentVariables: { PATH: '/usr/bin:/bin' },
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 30,
      ExitTimeOut: 180,
      ProcessType: 'Standard',
      StandardOutPath: '/log',
      StandardErrorPath: '/log',
    });
  });

  it('starts exactly the given arguments', () => {
    fc.assert(
      fc.property(words, (argv) => {
        expect(readPlist(plistOf({ ...SERVICE, argv }, '/log')).ProgramArguments).toEqual(argv);
      }),
    );
  });

  it('is written where launchd looks, and is started in the session of the user', () => {
    const plan = planOf(SERVICE, 'darwin');
    expect(plan?.file).toMatch(/\/Library\/LaunchAgents\/multi-agent-on-the-web\.maw-worker-one\.plist$/);
    expect(plan?.start).toEqual([['launchctl', 'bootstrap', expect.stringMatching(/^gui\/\d+$/), plan?.file]]);
    expect(planOf(SERVICE, 'win32')).toBeNull();
  });
});

describe('the service of a worker', () => {
  const of = (flags: Record<string, unknown>, env: Record<string, string> = {}) => {
    const loaded = loadConfig({ flags, env });
    const file = new StateFile('/state', loaded.config.url, loaded.config.name);
    return serviceOf({ config: loaded.config, loaded, env, file, account: undefined }).argv;
  };

  it('is started with the settings from flags and variables, without secrets', () => {
    const argv = of({ slots: '3', enrol_token: 'mae_one', exec_roots: ['here'] }, { MAW_TOOLS: 'exec', MAW_API_KEY: 'mak_one' });
    expect(argv).toEqual(expect.arrayContaining(['--slots=3', '--tools=exec', `--exec-root=${join(process.cwd(), 'here')}`]));
    expect(argv.join(' ')).not.toMatch(/mae_|mak_|log-format/);
  });

  it('stays the same worker when the hostname changes', () => {
    expect(of({}).join(' ')).toMatch(/ --url=\S+ --name=\S+ .*--state-dir=\//);
  });
});

/** A home folder, and a systemctl that records its calls. */
const homeForTest = async () => {
  const folder = await folderForTest();
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin/systemctl'), `#!/bin/sh\necho "$@" >> '${folder}/called'\n`, { mode: 0o755 });
  const env = { HOME: folder, XDG_CONFIG_HOME: '', XDG_STATE_HOME: '', PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}` };
  return {
    folder,
    maw: (...args: string[]) => ended(run(['worker-agent/bin/maw.mjs', 'worker', ...args], env)),
    called: async () => (await readFile(join(folder, 'called'), 'utf8')).trim().split('\n'),
  };
};

describe.skipIf(process.platform !== 'linux')('maw worker join --service', { timeout: 60_000 }, () => {
  it('enrols the worker and installs its systemd service, without the token; uninstall-service removes it', async () => {
    const platform = await startPlatform();
    const { folder, maw, called } = await homeForTest();

    const joined = await maw('join', joinUrl(platform.url, 'mae_one'), '--name', 'one', '--service');
    const [, file = ''] = /^service (\S+) is installed/m.exec(joined.out) ?? [];
    const unit = await readFile(file, 'utf8');
    const [node = '', ...args] = execStartOf(unit);
    const worker = run(args);
    onTestFinished(() => worker.kill('SIGKILL'));
    const claimed = platform.add();
    await until('it to work', () => platform.ended.has(claimed.subtask_id));
    await worker.kill('SIGTERM');
    const removed = await maw('uninstall-service', '--name', 'one', '--url', platform.url);
    const again = await maw('uninstall-service', '--name', 'one', '--url', platform.url);

    expect(joined.code).toBe(0);
    expect(file.startsWith(join(folder, '.config/systemd/user/maw-worker-one-'))).toBe(true);
    expect(node).toBe(process.execPath);
    expect(unit).not.toContain('mae_one');
    const name = file.split('/').at(-1);
    expect(await called()).toEqual([
      '--user daemon-reload',
      `--user enable ${name}`,
      `--user restart ${name}`,
      `--user disable --now ${name}`,
      '--user daemon-reload',
    ]);
    expect(removed.code).toBe(0);
    expect(existsSync(file)).toBe(false);
    expect(again).toMatchObject({ code: 1, error: expect.stringContaining('there is no service of the worker one') });
  });

  it('asks to enrol first if only the service is installed', async () => {
    const { maw } = await homeForTest();
    expect(await maw('install-service')).toMatchObject({
      code: 4,
      error: expect.stringMatching(/not enrolled[\s\S]*next: create a token/),
    });
  });

  it('prints the file with --print and installs nothing', async () => {
    const { folder, maw } = await homeForTest();
    const { out } = await maw('install-service', '--print');
    expect(execStartOf(out)).toContain('start');
    expect(existsSync(join(folder, '.config'))).toBe(false);
  });
});
