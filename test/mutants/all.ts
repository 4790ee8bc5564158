import { backendMutants } from './backend.ts';
import { hotPathMutants } from './hot-path.ts';
import type { Mutant } from './mutant.ts';
import { workerMutants } from './worker.ts';

export const allMutants: readonly Mutant[] = [...workerMutants, ...backendMutants, ...hotPathMutants];
