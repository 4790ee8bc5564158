import { mkdir, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPORARY, writeDurably } from '../../agent/durable-file.ts';
import type { Log } from '../../agent/worker-log.ts';
import { decodeEntry, encodeEntry, type SpoolEntry } from './spool-entry.ts';

export type SpoolOptions = {
  folder: string;
  maxBytes: number;
  log: Log;
  maxAgeMs?: number;
  /** How long reading an unreadable entry is repeated; the next ones wait meanwhile. */
  unreadableForMs?: number;
  /** How files are written; tests of failing disks replace it. */
  write?: typeof writeDurably;
  /** Throws while something else that the worker needs its disk for does not work. */
  probe?: () => Promise<void>;
};
/** With `full` and `failing` a result could not be stored, so the worker claims nothing. */
export type SpoolState = {
  status: 'empty' | 'waiting' | 'full' | 'failing';
  entries: number;
  bytes: number;
  oldest_seconds: number;
  broken: number;
  error: string | null;
};
export type Item = { readonly seq: number; readonly path: string; readonly bytes: number; readonly keptAtMs: number };

const DAY_MS = 86_400_000;
const UNREADABLE_MS = 600_000;
const ROOM_BYTES = 1_048_576;
const ROOM_FILES = 64;
const PROBE_BYTES = 65_536;
const NAMED = /^(\d{12})-[a-z]+\.spool$/;
const NUMBERED = /^(\d{12})-/;
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

class SpoolFull extends Error {
  readonly code = 'ENOSPC';
}

/** Stores on the disk what could not be sent, in order, with limits on bytes and age. Only one process may use its folder. */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #write: typeof writeDurably;
  readonly #onRemoved = new Map<number, () => void>();
  readonly #unreadableSince = new Map<number, number>();
  readonly #removed = new WeakSet<Item>();
  #items: Item[] = [];
  #next = 1;
  #broken = 0;
  #fault: { isFull: boolean; message: string } | null = null;
  #writing: Promise<unknown> = Promise.resolve();
  #loading: Promise<void> | null = null;
  /** Called when an entry was added and when the state has changed. */
  onChange: () => void = () => {};

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#write = options.write ?? writeDurably;
  }

  /** Finds the entries of an earlier process. Does not throw: a folder that cannot be used is reported in the state. */
  open(): Promise<void> {
    return this.check();
  }

  /** Loads the existing entries once. Nothing is added before, since it could overwrite one of them. */
  #load(): Promise<void> {
    this.#loading ??= this.#readFolder().catch((error) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  async #readFolder(): Promise<void> {
    const { folder, log } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of (await readdir(folder)).toSorted()) {
      const path = join(folder, name);
      this.#next = Math.max(this.#next, Number(NUMBERED.exec(name)?.[1] ?? 0) + 1);
      if (name.endsWith(TEMPORARY)) await rm(path, { force: true }).catch(() => {});
      if (name.endsWith('.broken')) this.#broken++;
      const [, seq] = NAMED.exec(name) ?? [];
      if (seq === undefined) continue;
      const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: Date.now() }));
      this.#items.push({ seq: Number(seq), path, bytes: size, keptAtMs: mtimeMs });
    }
    if (this.#items.length > 0) log('info', 'spool.found', { entries: this.#items.length, bytes: this.bytes });
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  get bytes(): number {
    return this.#items.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get canKeep(): boolean {
    return this.#fault === null;
  }

  state(): SpoolState {
    const [oldest] = this.#items;
    const fault = this.#fault === null ? null : this.#fault.isFull ? ('full' as const) : ('failing' as const);
    return {
      status: fault ?? (oldest === undefined ? 'empty' : 'waiting'),
      entries: this.#items.length,
      bytes: this.bytes,
      oldest_seconds: oldest === undefined ? 0 : Math.max(0, Math.round((Date.now() - oldest.keptAtMs) / 1_000)),
      broken: this.#broken,
      error: this.#fault?.message ?? null,
    };
  }

  /** Resolves when the entry is stored on the disk; throws if it cannot be. Logs and files may use only half of the space. */
  put(entry: SpoolEntry, bytes?: Uint8Array): Promise<Item> {
    const put = this.#writing.then(() => this.#put(entry, bytes));
    this.#writing = put.catch(() => {});
    return put;
  }

  async #put(entry: SpoolEntry, bytes?: Uint8Array): Promise<Item> {
    const { folder, maxBytes } = this.#options;
    const content = encodeEntry(entry, bytes);
    const isMaterial = entry.kind === 'logs' || entry.kind === 'artifact';
    try {
      await this.#load();
      if (this.bytes + content.length > (isMaterial ? maxBytes / 2 : maxBytes)) throw new SpoolFull(`it holds at most ${maxBytes} bytes`);
      const seq = this.#next++;
      const path = join(folder, `${String(seq).padStart(12, '0')}-${entry.kind}.spool`);
      await this.#write(path, content);
      const item = { seq, path, bytes: content.length, keptAtMs: Date.now() };
      this.#items.push(item);
      this.#recovered();
      this.onChange();
      return item;
    } catch (error) {
      // If a large file or output does not fit, results may still fit.
      if (!(error instanceof SpoolFull && isMaterial)) this.#failed(error);
      throw error;
    }
  }

  /** Returns null when the file was removed, or is broken and was set aside. Throws when it cannot be read at the moment. */
  async read(item: Item): Promise<ReturnType<typeof decodeEntry> | null> {
    try {
      const file = decodeEntry(await readFile(item.path));
      this.#unreadableSince.delete(item.seq);
      return file;
    } catch (error) {
      if (this.#removed.has(item)) return null;
      if (this.#mayRecover(item, error as NodeJS.ErrnoException)) throw error;
      this.#broken++;
      this.#options.log('error', 'spool.broken', { file: `${item.path}.broken`, error: (error as Error).message });
      await rename(item.path, `${item.path}.broken`).catch(() => {});
      this.#forget(item);
      return null;
    }
  }

  /** An error of the operating system does not mean that the content is broken, unless it persists. */
  #mayRecover({ seq }: Item, { errno, code }: NodeJS.ErrnoException): boolean {
    if (errno === undefined || code === 'ENOENT') return false;
    const since = this.#unreadableSince.get(seq) ?? performance.now();
    this.#unreadableSince.set(seq, since);
    return performance.now() - since <= (this.#options.unreadableForMs ?? UNREADABLE_MS);
  }

  async remove(item: Item): Promise<void> {
    this.#removed.add(item);
    await rm(item.path, { force: true }).catch((error) => this.#failed(error));
    this.#forget(item);
  }

  /** Resolves when the entry was removed because it has been sent or given up. */
  removed({ seq }: Item): Promise<void> {
    if (!this.#items.some((it) => it.seq === seq)) return Promise.resolve();
    return new Promise((resolve) => this.#onRemoved.set(seq, resolve));
  }

  #forget({ seq }: Item): void {
    this.#items = this.#items.filter((it) => it.seq !== seq);
    this.#onRemoved.get(seq)?.();
    this.#onRemoved.delete(seq);
    this.#unreadableSince.delete(seq);
  }

  /** Drops entries that are too old, and checks whether a result could be stored; if in doubt, by writing a file. */
  async check(): Promise<void> {
    const { maxAgeMs = DAY_MS, log } = this.#options;
    try {
      await this.#load();
      for (const item of this.#items.filter(({ keptAtMs }) => Date.now() - keptAtMs > maxAgeMs)) {
        log('error', 'spool.expired', { file: item.path });
        await this.remove(item);
      }
      await this.#probe();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #probe(): Promise<void> {
    const { folder, maxBytes } = this.#options;
    const { bavail, bsize, files, ffree } = await statfs(folder);
    // Some file systems do not count their files and report 0.
    const hasRoom = bavail * bsize >= ROOM_BYTES && (files === 0 || ffree >= ROOM_FILES);
    if (this.#fault === null && hasRoom) return;
    await this.#options.probe?.();
    if (this.bytes + PROBE_BYTES > maxBytes) return;
    const probe = join(folder, `probe${TEMPORARY}`);
    await this.#write(probe, Buffer.alloc(PROBE_BYTES));
    await rm(probe, { force: true });
    this.#recovered();
  }

  /** Call this when something else failed on the same disk: the worker claims nothing until a check succeeds. */
  reportFailure(error: unknown): void {
    this.#failed(error);
  }

  #recovered(): void {
    if (this.#fault === null) return;
    this.#fault = null;
    this.#options.log('info', 'spool.recovered', {});
    this.onChange();
  }

  #failed(error: unknown): void {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const isNew = this.#fault?.message !== message;
    this.#fault = { isFull: FULL.has(code), message };
    if (!isNew) return;
    this.#options.log('error', FULL.has(code) ? 'spool.full' : 'spool.failing', { folder: this.#options.folder, error: message });
    this.onChange();
  }
}
