import type { Rounds } from './figures.ts';

export type Counted = { wal: number | null; walTogether: number | null };
type Row = [what: string, now: string, target: string];

const PGBENCH = 'pgbench, SKIP LOCKED claim';
const SUBMIT = '100 callers: submit one subtask';

const number = (value: number, digits = 2) => (Number.isNaN(value) ? '–' : value.toFixed(digits));
const both = (...values: number[]) => values.map((value) => number(value)).join('; ');
const bytes = (value: number | null) => (value === null ? '–' : `${(value / 1_000).toFixed(1)} kB`);
const ms = (value: number) => `${number(value, 0)} ms`;

/** What this run measured beside what it should be. */
export const targetRows = (rounds: Rounds, { wal, walTogether }: Counted): Row[] => {
  const p95 = (name: string) => rounds.median(`${name}: p95 ms`);
  return [
    ['SQL one at a time ÷ pgbench claim, 8 loops', number(rounds.ratio('SQL, one at a time', PGBENCH)), '≥ 0.14'],
    ['SQL one at a time ÷ pgbench claim, 32 loops', number(rounds.ratio('SQL, one at a time, 32 loops', PGBENCH)), '≥ 0.2'],
    ['SQL in tens ÷ pgbench claim', number(rounds.ratio('SQL, in tens', PGBENCH)), '≥ 0.3'],
    ['HTTP ÷ SQL, one at a time', number(rounds.ratio('HTTP, one at a time', 'SQL, one at a time')), '≥ 0.75'],
    ['HTTP ÷ SQL, in tens', number(rounds.ratio('HTTP, in tens', 'SQL, in tens')), '≥ 0.85'],
    [
      'standalone ÷ bare server, one at a time; in tens',
      both(rounds.ratio('standalone, one at a time', 'HTTP, one at a time'), rounds.ratio('standalone, in tens', 'HTTP, in tens')),
      '≥ 0.7',
    ],
    ['submit of one subtask ÷ pgbench claim, 100 callers', number(rounds.ratio(SUBMIT, PGBENCH)), '≥ 0.15'],
    ['submit of one subtask, 100 callers, p95', ms(p95(SUBMIT)), '≤ 100 ms'],
    ['list of 20 tasks, 100 callers, p95', ms(p95('100 callers: list 20 tasks')), '≤ 50 ms'],
    ['subtasks of a task, 100 callers, p95', ms(p95('100 callers: subtasks of a task')), '≤ 50 ms'],
    [
      'subtasks that their claim could not start, 8 loops',
      `${number(100 * rounds.median('SQL, one at a time: started late'), 0)} %`,
      '0 %',
    ],
    ['1 → 300 → 1 ÷ 1 → 8 → 1', number(rounds.ratio('one wide task of 1 → 300 → 1', 'as many subtasks in 1 → 8 → 1')), '≥ 0.8'],
    ['WAL of a subtask, one worker; ten in one statement', `${bytes(wal)}; ${bytes(walTogether)}`, '≤ 6; ≤ 4.5 kB'],
  ];
};
