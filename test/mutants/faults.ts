import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutant } from './mutant.ts';

const countOf = (text: string, part: string): number => (part === '' ? 0 : text.split(part).length - 1);

const faultsOf = (root: string, { name, file, find, replace, tests, survives }: Mutant): string[] => {
  const faults: string[] = [];
  const path = join(root, file);
  if (!existsSync(path)) faults.push(`${file} does not exist`);
  else {
    const count = countOf(readFileSync(path, 'utf8'), find);
    if (count !== 1) faults.push(`the text to find occurs ${count} times in ${file}, not once`);
  }
  if (find === replace) faults.push('it changes nothing');
  if (tests.length === 0) faults.push('it has no tests');
  for (const test of tests) if (!existsSync(join(root, test))) faults.push(`its test ${test} does not exist`);
  if (survives?.trim() === '') faults.push('it has no reason to survive');
  return faults.map((fault) => `"${name}": ${fault}`);
};

/** Why mutants do not apply to the code as it is; empty when all do. */
export const findFaults = (root: string, mutants: readonly Mutant[]): string[] => {
  const names = mutants.map(({ name }) => name);
  const repeated = new Set(names.filter((name, at) => names.indexOf(name) !== at));
  return [
    ...mutants.flatMap((mutant) => faultsOf(root, mutant)),
    ...[...repeated].map((name) => `"${name}": more than one mutant has this name`),
  ];
};
