import { describe, expect, it } from 'vitest';
import { accepts, type Phase, type StopReason } from '../../../worker-agent/src/attempt/job-state.ts';

const PHASES: Phase[] = ['waiting', 'working', 'reporting', 'confirming'];
const REASONS: StopReason[] = ['timed_out', 'fenced', 'released', 'lost', 'revoked'];
const CURRENT = [null, ...REASONS];

const accepted = (phase: Phase, current: StopReason | null) => REASONS.filter((reason) => accepts(phase, current, reason));

describe('the reason that stops a job', () => {
  it('can be any reason while its tool waits or works and it has none yet', () => {
    expect(accepted('waiting', null)).toEqual(REASONS);
    expect(accepted('working', null)).toEqual(REASONS);
  });

  it('is replaced only by one of higher rank', () => {
    const rank = { timed_out: 0, fenced: 0, released: 1, lost: 2, revoked: 2 };

    for (const phase of PHASES)
      for (const current of REASONS)
        for (const reason of accepted(phase, current))
          expect(rank[reason], `${phase}: ${current} to ${reason}`).toBeGreaterThan(rank[current]);
  });

  it('does not change once the platform has ended the lease or removed the worker', () => {
    for (const phase of PHASES) for (const current of ['lost', 'revoked'] as const) expect(accepted(phase, current)).toEqual([]);
  });

  it('can only be the removal of the worker once the ending is being reported', () => {
    for (const current of CURRENT.filter((it) => it !== 'lost' && it !== 'revoked'))
      expect(accepted('reporting', current)).toEqual(['revoked']);
  });

  it('can also be the loss of the lease while a heartbeat asks about it', () => {
    for (const current of CURRENT.filter((it) => it !== 'lost' && it !== 'revoked'))
      expect(accepted('confirming', current)).toEqual(['lost', 'revoked']);
  });
});
