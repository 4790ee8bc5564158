import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Node } from 'constructs';
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../infra/settings.ts';

const WORKFLOW = join(import.meta.dirname, '../../.github/workflows/deploy.yml');
const nodeOf = (context: (name: string) => unknown) => ({ tryGetContext: context }) as Node;

/** The options that the settings read, with a fleet. */
const askedFor = () => {
  const names = new Set<string>();
  readSettings(nodeOf((name) => (names.add(name), name === 'fleet_key' ? 'a/key' : undefined)));
  return names;
};

describe('the workflow of a deploy', () => {
  it('passes on every option except those of an emulator, each from the variable of its name', async () => {
    const text = await readFile(WORKFLOW, 'utf8');

    const passed = [...text.matchAll(/-c "(\w+)=\$(\w+)"/g)].map(([, option, variable]) => [option, variable]);

    const options = [...askedFor()].filter((name) => name !== 'target' && name !== 'emulator');
    expect(Object.fromEntries(passed)).toEqual(Object.fromEntries(options.map((name) => [name, name.toUpperCase()])));
    for (const [, variable] of passed) expect(text).toContain(`${variable}: \${{ vars.${variable} }}`);
  });

  it('may pass on an empty variable, which counts as an option that is not set', () => {
    const withFleet = (rest: unknown) => readSettings(nodeOf((name) => (name === 'fleet_key' ? 'a/key' : rest)));

    expect(withFleet('')).toEqual(withFleet(undefined));
  });
});
