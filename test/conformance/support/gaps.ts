export type Gap = { behaviour: string; reason: string };

/** Behaviours that AWS emulators do not support, by the name of the skipped test: at most five for each emulator. */
export const GAPS: Record<string, readonly Gap[]> = {};
