export type Gap = { behaviour: string; reason: string };

/** What emulators of AWS can't do, by the name of the test that is skipped there: at most five for each. */
export const GAPS: Record<string, readonly Gap[]> = {};
