import type { Mutant } from './mutant.ts';

export const backendMutants: readonly Mutant[] = [];
