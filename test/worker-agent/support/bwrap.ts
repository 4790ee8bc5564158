import { prepareIsolation } from '../../../worker-agent/src/process/isolation/prepare-isolation.ts';

const prepared = await prepareIsolation({ kind: 'bwrap', roots: [], hidden: [] }).catch((error: Error) => error);

/** Why bubblewrap cannot be tested on this machine, or null if it can. */
export const NO_BWRAP = prepared instanceof Error ? prepared.message : null;
if (NO_BWRAP !== null) console.warn(`skipped: tests with bubblewrap (${NO_BWRAP})`);

export const bwrapWith = ({ roots = [], hidden = [] }: { roots?: string[]; hidden?: string[] } = {}) =>
  prepareIsolation({ kind: 'bwrap', roots, hidden });
