/** One attempt: its duration, what it had to wait for, and its earliest possible start, in ms from the start of the run. */
export type Piece = { id: string; durationMs: number; after: readonly string[]; lagMs: number; releaseMs: number };

/**
 * The makespan of Graham's list schedule: a free machine always takes the piece that has been ready longest. This is how long a system
 * without any overhead would take. `after` must be acyclic.
 */
export const listSchedule = (pieces: readonly Piece[], machines: number): number => {
  const ends = new Map<string, number>();
  const free = Array.from({ length: machines }, () => 0);
  const waiting = new Set(pieces);
  while (waiting.size > 0) {
    const ready = [...waiting].filter((piece) => piece.after.every((id) => ends.has(id)));
    if (ready.length === 0) throw new Error('the pieces have a dependency cycle');
    const readyAt = (piece: Piece) => Math.max(piece.releaseMs, ...piece.after.map((id) => (ends.get(id) ?? 0) + piece.lagMs));
    const next = ready.reduce((a, b) => (readyAt(b) < readyAt(a) ? b : a));
    const machine = free.indexOf(Math.min(...free));
    const end = Math.max(free[machine] ?? 0, readyAt(next)) + next.durationMs;
    free[machine] = end;
    ends.set(next.id, end);
    waiting.delete(next);
  }
  return Math.max(0, ...ends.values());
};
