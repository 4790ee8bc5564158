import { clockMs } from './clock.ts';

const END = 0;
const FENCED = 1;

/** What renews leases, as their holders see it. */
export type LeaseKeeper = {
  /** Resolves when a heartbeat that was sent from now on is answered; rejects when it fails. */
  ask(): Promise<void>;
  /** Call it when leases, or what is reported with them, have changed. */
  leasesChanged(): void;
};

/**
 * Until when an attempt is surely this worker's, whatever happens to the answers: counted from when the request was sent that got or
 * renewed it. Both threads see the same.
 */
export class Lease {
  readonly cells: BigInt64Array<SharedArrayBuffer>;

  constructor(cells: BigInt64Array<SharedArrayBuffer> = new BigInt64Array(new SharedArrayBuffer(16))) {
    this.cells = cells;
  }

  extend(sentAtMs: number, lengthMs: number): void {
    const end = BigInt(Math.floor(sentAtMs + lengthMs));
    if (end > Atomics.load(this.cells, END)) Atomics.store(this.cells, END, end);
  }

  get leftMs(): number {
    return Number(Atomics.load(this.cells, END)) - clockMs();
  }

  /** Somebody else may have the subtask by now. */
  get isOver(): boolean {
    return this.leftMs <= 0;
  }

  /** For good: the work must not go on, also when the lease turns out to be good still. */
  fence(): void {
    Atomics.store(this.cells, FENCED, 1n);
  }

  get isFenced(): boolean {
    return Atomics.load(this.cells, FENCED) === 1n;
  }
}
