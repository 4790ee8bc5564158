import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../worker-agent/src/command.ts';
import { enrol } from '../../worker-agent/src/commands/enrol.ts';
import { loadConfig } from '../../worker-agent/src/config.ts';

const printed = async (tools: string): Promise<string> => {
  const lines: string[] = [];
  const { config } = loadConfig({ flags: { url: 'http://here:8080', tools: [tools] }, env: {} });
  const answer = { enrolment_token: 'mae_one', expires_at: '2026-01-01T00:00:00Z' };
  const client = { createEnrolmentToken: async () => answer };
  await enrol.run({ io: { out: (text: string) => lines.push(text) }, client, config, options: {} } as unknown as CommandContext);
  return lines.join('\n');
};

describe('maw enrol', () => {
  it('prints a command that starts a worker when it is pasted into a shell in the folder of the project', async () => {
    expect(await printed('scripted')).toMatch(
      /^ {2}MAW_ENROL_TOKEN=mae_one npx maw worker start --url http:\/\/here:8080 --tools scripted$/m,
    );
  });

  it('says how exec comes to run anything, when exec is among the tools', async () => {
    expect(await printed('scripted,exec')).toContain('--exec-allow');
    expect(await printed('scripted')).not.toContain('--exec-allow');
  });
});
