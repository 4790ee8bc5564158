import { clockMs } from './clock.ts';

const END = 0;
const FENCED = 1;

/** The heartbeat as the holders of leases see it. */
export type LeaseKeeper = {
  /** Resolves when a heartbeat sent after this call has been answered; rejects when it fails. */
  ask(): Promise<void>;
  /** Call it when leases, or what is reported with them, have changed. */
  leasesChanged(): void;
};

/**
 * The time until which an attempt is guaranteed to belong to this worker, even if answers are delayed: counted from when the request that acquired or
 * renewed the lease was sent. Both threads share its memory.
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

  /** True when another worker may have the subtask by now. */
  get isOver(): boolean {
    return this.leftMs <= 0;
  }

  /** Permanently stops the work under this lease, even if the lease turns out to be still valid. */
  fence(): void {
    Atomics.store(this.cells, FENCED, 1n);
  }

  get isFenced(): boolean {
    return Atomics.load(this.cells, FENCED) === 1n;
  }
}
