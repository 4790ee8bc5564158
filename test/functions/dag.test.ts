import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DagEdge, type Node, validateDag } from '../../functions/domain/tasks/dag.ts';
import { AppError } from '../../schema/errors.ts';
import { LIMITS } from '../../schema/json.ts';

/** A graph without cycles: every edge goes from an earlier node to a later one. Its nodes are then shuffled. */
const dag = fc
  .integer({ min: 1, max: 40 })
  .chain((count) =>
    fc.record({
      parents: fc.tuple(...Array.from({ length: count }, (_, at) => fc.subarray(Array.from({ length: at }, (_, before) => `n${before}`)))),
      order: fc.shuffledSubarray(
        Array.from({ length: count }, (_, at) => at),
        { minLength: count },
      ),
    }),
  )
  .map(({ parents, order }): Node[] => order.map((at) => ({ key: `n${at}`, dependencies: parents[at] ?? [] })));

const rejection = (work: () => unknown): AppError => {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

const messages = (work: () => unknown) => rejection(work).errors.map((error) => `${error.path}: ${error.message}`);

/** Visits each node once, because a dense graph has too many paths to follow each. */
const reaches = (edges: readonly DagEdge[], from: string, to: string): boolean => {
  const reached = new Set([from]);
  for (const key of reached) for (const { parent, child } of edges) if (parent === key) reached.add(child);
  return reached.has(to);
};

describe('a DAG', () => {
  it('is accepted whatever the order of its nodes, with exactly the edges that they name', () => {
    fc.assert(
      fc.property(dag, (nodes) => {
        const named = nodes.flatMap(({ key, dependencies }) => dependencies.map((parent) => `${parent} → ${key}`));

        const edges = validateDag(nodes).map(({ parent, child }) => `${parent} → ${child}`);

        expect(edges.toSorted()).toEqual(named.toSorted());
      }),
    );
  });

  it('is refused when any edge closes a cycle, and the reported cycle is one', () => {
    fc.assert(
      fc.property(dag, fc.nat(), fc.nat(), (nodes, first, second) => {
        const edges = nodes.flatMap(({ key, dependencies }) => dependencies.map((parent) => ({ parent, child: key })));
        const [from = '', to = ''] = [nodes[first % nodes.length]?.key, nodes[second % nodes.length]?.key];
        fc.pre(from !== to && reaches(edges, from, to));
        const closed = nodes.map((node) => (node.key === from ? { ...node, dependencies: [...node.dependencies, to] } : node));

        const [error] = rejection(() => validateDag(closed)).errors;

        const circle = error?.message.replace('these subtasks form a cycle: ', '').split(' → ') ?? [];
        const parentsOf = new Map(closed.map((node) => [node.key, node.dependencies]));
        expect(circle.length).toBeGreaterThan(2);
        expect(circle[0]).toBe(circle.at(-1));
        for (const [at, key] of circle.slice(1).entries()) expect(parentsOf.get(key)).toContain(circle[at]);
      }),
    );
  });

  it('is refused for an unknown, repeated or own key among the dependencies, in any position', () => {
    fc.assert(
      fc.property(dag, fc.nat(), fc.constantFrom('unknown', 'self', 'twice'), (nodes, at, fault) => {
        const node = nodes[at % nodes.length] as Node;
        fc.pre(fault !== 'twice' || node.dependencies.length > 0);
        const added = { unknown: 'nowhere', self: node.key, twice: node.dependencies[0] ?? '' }[fault];
        const broken = nodes.map((it) => (it === node ? { ...it, dependencies: [...it.dependencies, added] } : it));
        const place = `body.subtasks.${nodes.indexOf(node)}.dependencies.${node.dependencies.length}`;

        expect(messages(() => validateDag(broken))).toEqual([
          `${place}: ${
            {
              unknown: `${node.key} depends on nowhere, which is not the key of a subtask of this task`,
              self: `${node.key} depends on itself`,
              twice: `${node.key} lists ${added} twice`,
            }[fault]
          }`,
        ]);
      }),
    );
  });

  it('needs a unique key for each subtask, also among the existing subtasks of the task', () => {
    const existing = { keys: new Set(['old']), dead: new Set<string>(), edges: 0 };
    const twice = [
      { key: 'a', dependencies: [] },
      { key: 'a', dependencies: [] },
      { key: 'old', dependencies: [] },
    ];

    expect(messages(() => validateDag(twice, existing))).toEqual([
      'body.subtasks.1.key: the key a is used twice; each subtask needs a unique key',
      'body.subtasks.2.key: the key old is used twice; each subtask needs a unique key',
    ]);
  });

  it('may depend on existing subtasks of the task, but not on those that ended without completing', () => {
    const existing = { keys: new Set(['done', 'failed']), dead: new Set(['failed']), edges: 0 };

    expect(validateDag([{ key: 'new', dependencies: ['done'] }], existing)).toEqual([{ parent: 'done', child: 'new' }]);
    expect(messages(() => validateDag([{ key: 'new', dependencies: ['failed'] }], existing))).toEqual([
      'body.subtasks.0.dependencies.0: new depends on failed, which ended without completing',
    ]);
  });

  it('has at most 1,000 subtasks and 5,000 dependencies, including those of the task', () => {
    const wide = (count: number): Node[] => Array.from({ length: count }, (_, at) => ({ key: `n${at}`, dependencies: [] }));
    const dense = (layers: number, width: number): Node[] =>
      Array.from({ length: layers * width }, (_, at) => ({
        key: `n${at}`,
        dependencies: at < width ? [] : Array.from({ length: width }, (_, parent) => `n${(Math.floor(at / width) - 1) * width + parent}`),
      }));
    const none = { keys: new Set<string>(), dead: new Set<string>(), edges: 0 };

    expect(validateDag(wide(LIMITS.subtasks_per_task))).toEqual([]);
    expect(validateDag(dense(3, 50))).toHaveLength(5_000);
    expect(messages(() => validateDag(wide(1_001)))).toEqual(['body.subtasks: a task can have at most 1000 subtasks']);
    expect(messages(() => validateDag(wide(10), { ...none, keys: new Set(wide(991).map((node) => `old-${node.key}`)) }))).toHaveLength(1);
    expect(messages(() => validateDag(dense(3, 50), { ...none, edges: 1 }))).toEqual([
      'body.subtasks: a task can have at most 5000 dependencies in total, not 5001',
    ]);
  });
});
