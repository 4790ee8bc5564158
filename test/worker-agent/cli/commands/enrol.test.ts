import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../../../worker-agent/src/cli/command.ts';
import { enrol } from '../../../../worker-agent/src/cli/commands/enrol.ts';
import { loadConfig } from '../../../../worker-agent/src/cli/load-config.ts';

const printed = async (tools: string, allow: string[] = []): Promise<string> => {
  const lines: string[] = [];
  const { config } = loadConfig({ flags: { url: 'http://here:8080', tools: [tools], exec_allow: allow }, env: {} });
  const answer = { enrolment_token: 'mae_one', expires_at: '2026-01-01T00:00:00Z' };
  const client = { createEnrolmentToken: async () => answer };
  await enrol.run({ io: { out: (text: string) => lines.push(text) }, client, config, options: {} } as unknown as CommandContext);
  return lines.join('\n');
};

describe('maw enrol', () => {
  it('prints a command that enrols a worker, to paste into a shell in a clone of the project', async () => {
    expect(await printed('scripted')).toMatch(
      /^ {2}node worker-agent\/bin\/maw\.mjs worker join "http:\/\/here:8080\/#mae_one" --tools scripted$/m,
    );
  });

  it('adds the commands that exec may run, quoted for a shell', async () => {
    expect(await printed('exec', ['git,node'])).toMatch(/ --tools exec --exec-allow git,node$/);
    expect(await printed('exec', ['*', "/opt/it's"])).toMatch(/ --exec-allow '\*,\/opt\/it'\\''s'$/);
  });

  it('explains how to allow commands if the tools include exec and nothing is allowed', async () => {
    expect(await printed('scripted,exec')).toContain('add them, such as --exec-allow git,node');
    expect(await printed('scripted')).not.toContain('--exec-allow');
  });
});
