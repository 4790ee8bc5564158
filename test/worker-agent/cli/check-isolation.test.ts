import { describe, expect, it, vi } from 'vitest';
import { checkIsolation } from '../../../worker-agent/src/cli/check-isolation.ts';
import { loadConfig } from '../../../worker-agent/src/cli/load-config.ts';
import { folderForTest } from '../support/agent.ts';
import { NO_BWRAP } from '../support/bwrap.ts';

const checksOf = async (flags: Record<string, unknown>) => {
  const { config, file } = loadConfig({ flags: { state_dir: await folderForTest(), ...flags }, env: {} });
  return (await checkIsolation(config, file)).map(({ level, message }) => `${level} ${message}`);
};

describe.skipIf(process.platform !== 'linux')('the isolation checks of doctor', () => {
  it.each([
    ['none', 'warn', /no security boundary/],
    ['env', 'ok', /no security boundary/],
  ])('describe for %s what is isolated, and which processes may escape', async (isolation, level, boundary) => {
    const [isolated = '', processes] = await checksOf({ isolation });

    expect(isolated.startsWith(`${level} isolation ${isolation}: `)).toBe(true);
    expect(isolated).toMatch(boundary);
    expect(processes).toMatch(/^ok processes: .*at its next start.*can escape/);
  });

  it.skipIf(NO_BWRAP !== null)('state for bubblewrap that no process escapes', async () => {
    expect(await checksOf({ isolation: 'bwrap' })).toEqual([
      expect.stringMatching(/^ok isolation bwrap: .*only to their own folders and to --exec-root/),
      expect.stringMatching(/^ok processes: the kernel stops every process of a command/),
    ]);
  });

  it('fail if bubblewrap is requested and not installed', async () => {
    vi.stubEnv('PATH', '/no/folder');
    const checks = await checksOf({ isolation: 'bwrap' });
    vi.unstubAllEnvs();
    expect(checks).toEqual([expect.stringMatching(/^fail isolation: bwrap was requested and is not on the PATH/)]);
  });

  it('warn about missing login files', async () => {
    expect((await checksOf({ exec_logins: '.no/such/file' })).at(-1)).toMatch(/^warn login: .*\.no\/such\/file does not exist/);
  });
});
