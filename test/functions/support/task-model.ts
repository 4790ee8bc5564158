import type { Claimed } from '../../../schema/attempt.ts';
import type { SubtaskStatus, TaskStatus } from '../../../schema/states.ts';

/*
 * A model of one task, as simple as possible, to compare the engine with.
 */
const MAX_ATTEMPTS = 2;
const MAX_INFRA_ATTEMPTS = 3;

export type Node = {
  parents: string[];
  status: SubtaskStatus;
  attempt: number;
  attempts: number;
  infraAttempts: number;
  /** Ready, but only after a wait. */
  waits: boolean;
  lease: Claimed | null;
};
export type Model = { status: TaskStatus; paused: boolean; run: number; goesOn: boolean; nodes: Map<string, Node> };

const ENDED: readonly string[] = ['completed', 'failed', 'cancelled', 'skipped'];
const isOpen = (node: Node) => !ENDED.includes(node.status);
export const isTaskOpen = (model: Model) => model.status === 'pending' || model.status === 'running';
export const all = (model: Model) => [...model.nodes.values()];
export const nodeAt = (model: Model, at: number, status: SubtaskStatus): Node | undefined => {
  const nodes = all(model).filter((node) => node.status === status);
  return nodes[at % Math.max(1, nodes.length)];
};
const isFree = (model: Model, node: Node) => node.parents.every((parent) => model.nodes.get(parent)?.status === 'completed');

export const settle = (model: Model) => {
  for (const node of all(model)) if (node.status === 'blocked' && isFree(model, node)) node.status = 'ready';
  if (all(model).some(isOpen)) return;
  model.status = all(model).every((node) => node.status === 'completed') ? 'completed' : 'failed';
};

export const end = (node: Node, status: SubtaskStatus) => {
  node.status = status;
  node.lease = null;
  node.waits = false;
};

export const cancelOpen = (model: Model) => {
  for (const node of all(model)) if (isOpen(node)) end(node, 'cancelled');
};

const skipBelow = (model: Model) => {
  const dead = (node: Node) => node.parents.some((parent) => ['failed', 'skipped'].includes(model.nodes.get(parent)?.status ?? ''));
  for (let again = true; again; ) {
    again = false;
    for (const node of all(model).filter((it) => it.status === 'blocked' && dead(it))) {
      end(node, 'skipped');
      again = true;
    }
  }
};

/** An attempt ended other than by success: `own` when the work itself failed. */
export const endAttempt = (model: Model, node: Node, own: boolean, mayRepeat: boolean) => {
  if (own) node.attempts++;
  else node.infraAttempts++;
  const again = own ? mayRepeat && node.attempts < MAX_ATTEMPTS : node.infraAttempts < MAX_INFRA_ATTEMPTS;
  end(node, again ? 'ready' : 'failed');
  node.waits = again && own;
  if (again) return;
  if (model.goesOn) skipBelow(model);
  else {
    cancelOpen(model);
    model.status = 'failed';
  }
  settle(model);
};

export const RETRY = {
  max_attempts: MAX_ATTEMPTS,
  max_infra_attempts: MAX_INFRA_ATTEMPTS,
  on: ['rate_limited' as const, 'timed_out' as const],
  base_ms: 3_600_000,
  max_ms: 3_600_000,
};

export const fresh = (parents: string[]): Node => ({
  parents,
  status: 'blocked',
  attempt: 0,
  attempts: 0,
  infraAttempts: 0,
  waits: false,
  lease: null,
});
