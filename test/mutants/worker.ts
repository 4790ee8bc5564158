import type { Mutant } from './mutant.ts';

export const workerMutants: readonly Mutant[] = [
  {
    name: 'a late answer extends the lease from when it arrived',
    file: 'worker-agent/src/lease.ts',
    find: 'BigInt(Math.floor(sentAtMs + lengthMs))',
    replace: 'BigInt(Math.floor(clockMs() + lengthMs))',
    tests: ['test/worker-agent/lease.test.ts'],
    only: 'counts from when the request was sent',
  },
];
