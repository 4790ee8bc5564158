import { describe, expect, it } from 'vitest';
import { parseMarked, parsePs, parseStat } from '../../../worker-agent/src/process/process-table.ts';
import { ProcessTree } from '../../../worker-agent/src/process/process-tree.ts';

const stat = (pid: number, name: string, state: string) =>
  `${pid} (${name}) ${state} 10 20 30 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1`;

describe('the table of processes', () => {
  it('is read from /proc, whatever the name of a process, without ended processes', () => {
    expect(parseStat(stat(7, 'a) Z (b', 'S'))).toEqual({ pid: 7, parent: 10, group: 20, session: 30, born: '987654' });
    expect(parseStat(stat(7, 'sh', 'Z'))).toBeNull();
    expect(parseStat('')).toBeNull();
  });

  it('is read from ps if there is no /proc', () => {
    const listed =
      '    1     0     1 Ss   Mon Nov 24 10:00:00 2025\n  501     1   501 Z    Mon Nov 24 10:00:01 2025\n  502   501   501 R+   Mon Nov 24 10:00:02 2025\n';
    expect(parsePs(listed)).toEqual([
      { pid: 1, parent: 0, group: 1, session: 0, born: 'Mon Nov 24 10:00:00 2025' },
      { pid: 502, parent: 501, group: 501, session: 0, born: 'Mon Nov 24 10:00:02 2025' },
    ]);
  });

  it('finds marked processes in the output of ps', () => {
    const listed = '  5 sleep 1 HOME=/h MAW_WORKSPACE=/w/a-1/work TERM=dumb\n 6 sleep 1 MAW_WORKSPACE=/w/a-11/work\n 7 sleep 1\n';
    expect(parseMarked(listed, 'MAW_WORKSPACE=/w/a-1/')).toEqual([5]);
  });
});

describe('the members of a tree', () => {
  const process = (pid: number, parent: number, more = {}) => ({ pid, parent, group: pid, session: pid, born: 'x', ...more });

  it('are its group, its session, their descendants, and processes that were seen before their parents ended', () => {
    const tree = new ProcessTree(10, 'NONE=', false);
    const before = [
      process(1, 0),
      process(13, 12),
      process(12, 10),
      process(10, 1),
      process(11, 1, { group: 10 }),
      process(14, 1, { session: 10 }),
    ];
    expect(new Set(tree.members(before))).toEqual(new Set([10, 11, 12, 13, 14]));

    const later = [process(1, 0), process(13, 1), process(15, 13), process(12, 1, { born: 'later' })];

    expect(new Set(tree.members(later))).toEqual(new Set([13, 15]));
  });
});
