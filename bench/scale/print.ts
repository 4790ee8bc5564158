import type { Measured, Results } from './measure.ts';

const COLUMN = 20;
const cell = (it: Measured | undefined) =>
  it === undefined ? '–'.padStart(COLUMN) : `${it.ms.toFixed(2).padStart(COLUMN / 2)}${String(it.blocks).padStart(COLUMN / 2)}`;
const line = (operation: string, statement: string, cells: readonly string[], ratio: string) =>
  `${operation.slice(0, 47).padEnd(48)}${statement.slice(0, 33).padEnd(34)}${cells.join('')}${ratio.padStart(8)}`;

/** One line per statement; the ratio compares the blocks of the last database to the first. */
export const printTable = (sizes: readonly number[], all: readonly Results[], say: (line?: string) => void) => {
  say();
  const named = sizes.map((size) => `${size} tasks`.padStart(COLUMN));
  say(line('', '', named, 'blocks'));
  say(
    line(
      'operation',
      'statement',
      sizes.map(() => `${'ms'.padStart(COLUMN / 2)}${'blocks'.padStart(COLUMN / 2)}`),
      'ratio',
    ),
  );
  for (const key of new Set(all.flatMap((results) => [...results.keys()]))) {
    const found = all.map((results) => results.get(key));
    const any = found.find((it) => it !== undefined);
    const [first, last] = [found[0]?.blocks, found.at(-1)?.blocks];
    const ratio = first === undefined || last === undefined ? '–' : (last / Math.max(1, first)).toFixed(2);
    say(line(any?.operation ?? '', any?.statement ?? '', found.map(cell), ratio));
  }
  for (const error of all.flatMap((results) => [...results.values()].flatMap((it) => (it.error === undefined ? [] : [it]))))
    say(`${error.operation} failed: ${error.error}`);
};

/** The rate at which subtasks are run in each database, and the ratio of the last to the first. */
export const printRates = (sizes: readonly number[], rates: readonly number[], say: (line?: string) => void) => {
  say();
  const shown = rates.map((rate, at) => `${rate.toFixed(0)} with ${sizes[at]} finished tasks`);
  say(`Subtasks per second, one at a time, 8 loops: ${shown.join(', ')}; ratio ${((rates.at(-1) ?? 0) / (rates[0] ?? 1)).toFixed(2)}`);
};
