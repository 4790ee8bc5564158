import { AppError, type FieldError } from '../../../schema/errors.ts';
import { LIMITS } from '../../../schema/json.ts';

export type Node = { key: string; dependencies: readonly string[] };
/** A dependency by the keys of both ends. */
export type DagEdge = { parent: string; child: string };

const MOST_ERRORS = 20;

/**
 * Checks that `nodes`, added to subtasks that exist already, form a directed acyclic graph within the limits, and
 * returns its edges. Throws invalid_dag with the path of each fault in the request.
 */
export const validateDag = (nodes: readonly Node[], existing: Existing = NONE): DagEdge[] => {
  const faults = [...keyFaults(nodes, existing.keys), ...dependencyFaults(nodes, existing)];
  const edges = nodes.flatMap((node) => node.dependencies.map((parent) => ({ parent, child: node.key })));
  if (existing.keys.size + nodes.length > LIMITS.subtasks_per_task)
    faults.push({ path: 'body.subtasks', message: `a task can have at most ${LIMITS.subtasks_per_task} subtasks` });
  if (existing.edges + edges.length > LIMITS.edges_per_task)
    faults.push({
      path: 'body.subtasks',
      message: `a task can have at most ${LIMITS.edges_per_task} dependencies in total, not ${existing.edges + edges.length}`,
    });
  if (faults.length === 0) faults.push(...cycleFaults(nodes));
  if (faults.length > 0) throw new AppError('invalid_dag', faults[0]?.message ?? '', { errors: faults.slice(0, MOST_ERRORS) });
  return edges;
};

/** The subtasks that a task has already; `dead` are the keys that ended without completing, so that nothing can wait for them. */
type Existing = { keys: ReadonlySet<string>; dead: ReadonlySet<string>; edges: number };
const NONE: Existing = { keys: new Set(), dead: new Set(), edges: 0 };

const keyFaults = (nodes: readonly Node[], taken: ReadonlySet<string>): FieldError[] => {
  const seen = new Set(taken);
  return nodes.flatMap(({ key }, at) => {
    if (seen.has(key))
      return [{ path: `body.subtasks.${at}.key`, message: `the key ${key} is used twice; each subtask needs a unique key` }];
    seen.add(key);
    return [];
  });
};

const dependencyFaults = (nodes: readonly Node[], existing: Existing): FieldError[] => {
  const known = new Set([...existing.keys, ...nodes.map((node) => node.key)]);
  return nodes.flatMap((node, at) =>
    node.dependencies.flatMap((parent, place) => {
      const path = `body.subtasks.${at}.dependencies.${place}`;
      if (parent === node.key) return [{ path, message: `${node.key} depends on itself` }];
      if (!known.has(parent))
        return [{ path, message: `${node.key} depends on ${parent}, which is not the key of a subtask of this task` }];
      if (existing.dead.has(parent)) return [{ path, message: `${node.key} depends on ${parent}, which ended without completing` }];
      if (node.dependencies.indexOf(parent) !== place) return [{ path, message: `${node.key} lists ${parent} twice` }];
      return [];
    }),
  );
};

/** Kahn's algorithm: the nodes that remain are on a cycle or depend on one. */
const cycleFaults = (nodes: readonly Node[]): FieldError[] => {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const waiting = new Map(nodes.map((node) => [node.key, node.dependencies.filter((parent) => byKey.has(parent)).length]));
  const children = new Map<string, string[]>();
  for (const node of nodes) for (const parent of node.dependencies) children.set(parent, [...(children.get(parent) ?? []), node.key]);

  const free = [...waiting].filter(([, count]) => count === 0).map(([key]) => key);
  for (let key = free.pop(); key !== undefined; key = free.pop()) {
    waiting.delete(key);
    for (const child of children.get(key) ?? []) {
      const open = (waiting.get(child) ?? 0) - 1;
      waiting.set(child, open);
      if (open === 0) free.push(child);
    }
  }
  if (waiting.size === 0) return [];
  const cycle = walkCycle(byKey, waiting);
  const at = nodes.findIndex((node) => node.key === cycle[0]);
  return [{ path: `body.subtasks.${at}.dependencies`, message: `these subtasks form a cycle: ${cycle.join(' → ')}` }];
};

/** From any remaining node, following remaining parents must return to a visited node. */
const walkCycle = (byKey: ReadonlyMap<string, Node>, remaining: ReadonlyMap<string, number>): string[] => {
  const path: string[] = [];
  let key = remaining.keys().next().value ?? '';
  while (!path.includes(key)) {
    path.push(key);
    key = byKey.get(key)?.dependencies.find((parent) => remaining.has(parent)) ?? '';
  }
  return [...path.slice(path.indexOf(key)), key].toReversed();
};
