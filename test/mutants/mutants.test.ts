import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allMutants } from './all.ts';
import { findFaults } from './faults.ts';
import type { Mutant } from './mutant.ts';

const ROOT = join(import.meta.dirname, '../..');

const folderWith = (files: Record<string, string>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'maw-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
};
const mutant: Mutant = { name: 'adds', file: 'a.ts', find: 'a - b', replace: 'a + b', tests: ['a.test.ts'] };

describe('the mutants', () => {
  it('apply to the code as it is', () => {
    expect(findFaults(ROOT, allMutants)).toEqual([]);
  });

  it('have a fault when their text is not found once, or when a file does not exist', () => {
    const folder = folderWith({ 'a.ts': 'a - b', 'twice.ts': 'a - b, a - b', 'a.test.ts': '' });
    const faults = (change: Partial<Mutant>) => findFaults(folder, [{ ...mutant, ...change }]);

    expect(faults({})).toEqual([]);
    expect(faults({ find: 'b - a' })).toEqual(['"adds": the text to find occurs 0 times in a.ts, not once']);
    expect(faults({ file: 'twice.ts' })).toEqual(['"adds": the text to find occurs 2 times in twice.ts, not once']);
    expect(faults({ file: 'b.ts' })).toEqual(['"adds": b.ts does not exist']);
    expect(faults({ tests: ['b.test.ts'] })).toEqual(['"adds": its test b.test.ts does not exist']);
    expect(faults({ tests: [] })).toEqual(['"adds": it has no tests']);
    expect(faults({ replace: 'a - b' })).toEqual(['"adds": it changes nothing']);
    expect(faults({ survives: ' ' })).toEqual(['"adds": it has no reason to survive']);
  });

  it('have a fault when two have the same name', () => {
    const folder = folderWith({ 'a.ts': 'a - b', 'a.test.ts': '' });

    expect(findFaults(folder, [mutant, mutant])).toEqual(['"adds": more than one mutant has this name']);
  });
});
