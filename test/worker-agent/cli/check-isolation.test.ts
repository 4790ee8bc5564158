import { describe, expect, it, vi } from 'vitest';
import { checkIsolation } from '../../../worker-agent/src/cli/check-isolation.ts';
import { loadConfig } from '../../../worker-agent/src/cli/load-config.ts';
import { folderForTest } from '../support/agent.ts';
import { NO_BWRAP } from '../support/bwrap.ts';

const told = async (flags: Record<string, unknown>) => {
  const { config, file } = loadConfig({ flags: { state_dir: await folderForTest(), ...flags }, env: {} });
  return (await checkIsolation(config, file)).map(({ level, message }) => `${level} ${message}`);
};

describe.skipIf(process.platform !== 'linux')('what doctor tells of isolation', () => {
  it.each([
    ['none', 'warn', /no boundary/],
    ['env', 'ok', /no boundary/],
  ])('is what %s does and does not keep apart, and which processes may escape', async (isolation, level, said) => {
    const [kept = '', ended] = await told({ isolation });

    expect(kept.startsWith(`${level} isolation ${isolation}: `)).toBe(true);
    expect(kept).toMatch(said);
    expect(ended).toMatch(/^ok processes: .*at its next start.*can escape/);
  });

  it.skipIf(NO_BWRAP !== null)('is that with bubblewrap none escapes', async () => {
    expect(await told({ isolation: 'bwrap' })).toEqual([
      expect.stringMatching(/^ok isolation bwrap: .*--exec-root only/),
      expect.stringMatching(/^ok processes: all of a command end with it or with the worker, by the kernel/),
    ]);
  });

  it('is that bubblewrap is missing where it is asked for', async () => {
    vi.stubEnv('PATH', '/no/folder');
    const checks = await told({ isolation: 'bwrap' });
    vi.unstubAllEnvs();
    expect(checks).toEqual([expect.stringMatching(/^fail isolation: bwrap was requested and is not on the PATH/)]);
  });

  it('names login files that are not there', async () => {
    expect((await told({ exec_logins: '.no/such/file' })).at(-1)).toMatch(/^warn login: .*\.no\/such\/file is not there/);
  });
});
