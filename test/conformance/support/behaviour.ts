import { it } from 'vitest';
import { GAPS } from './gaps.ts';

const missing = new Set(GAPS[process.env.CONFORMANCE_GAPS ?? '']?.map((gap) => gap.behaviour));

/** A test of the suite, skipped on an emulator that is known not to support the behaviour. */
export const behaves = (name: string, run: () => Promise<void>) => it.skipIf(missing.has(name))(name, run);
