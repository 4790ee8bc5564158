/**
 * A running job has a phase, and a reason once it has to stop:
 *
 *     waiting ── beginWork ──▶ working ── beginReport ──▶ reporting ◀── confirm ──▶ confirming
 *
 *     none ──▶ timed_out, fenced ──▶ released ──▶ lost, revoked
 *
 * - `waiting`: claimed, and its tool has not started. `working`: its tool runs. `reporting`: its ending is being sent to the platform.
 *   `confirming`: the same, while a heartbeat asks whether the lease is still good.
 * - `timed_out`: it took too long. `fenced`: its lease may have expired. `released`: the worker gives it back. `lost`: the platform has
 *   ended the lease. `revoked`: the platform has removed the worker.
 *
 * A reason only moves to the right: the platform's decision outranks the worker's own, and the last two are final.
 */
export type Phase = 'waiting' | 'working' | 'reporting' | 'confirming';
export type StopReason = 'timed_out' | 'fenced' | 'released' | 'lost' | 'revoked';

type Replacements = Readonly<Record<StopReason | 'none', readonly StopReason[]>>;

const UNTIL_REPORTED: Replacements = {
  none: ['timed_out', 'fenced', 'released', 'lost', 'revoked'],
  timed_out: ['released', 'lost', 'revoked'],
  fenced: ['released', 'lost', 'revoked'],
  released: ['lost', 'revoked'],
  lost: [],
  revoked: [],
};

/** The reasons that a job accepts, by its phase and its current reason. Any other reason changes nothing. */
const ACCEPTED: Readonly<Record<Phase, Replacements>> = {
  waiting: UNTIL_REPORTED,
  working: UNTIL_REPORTED,
  // An ending that the platform has accepted also ends the lease. Only a heartbeat that asks about the lease shows that it was lost earlier.
  reporting: { none: ['revoked'], timed_out: ['revoked'], fenced: ['revoked'], released: ['revoked'], lost: [], revoked: [] },
  confirming: {
    none: ['lost', 'revoked'],
    timed_out: ['lost', 'revoked'],
    fenced: ['lost', 'revoked'],
    released: ['lost', 'revoked'],
    lost: [],
    revoked: [],
  },
};

export const accepts = (phase: Phase, current: StopReason | null, reason: StopReason): boolean =>
  ACCEPTED[phase][current ?? 'none'].includes(reason);

/** What a reason stops besides the work. `sending`: nothing more is sent. `urgent`: the tool must end soon; another worker may have the subtask. */
export const ALSO_STOPS: Readonly<Record<StopReason, readonly ('sending' | 'urgent')[]>> = {
  timed_out: [],
  fenced: ['urgent'],
  released: [],
  lost: ['sending', 'urgent'],
  revoked: ['sending', 'urgent'],
};
