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
  /** For so long an entry that cannot be read is tried again: the others wait behind it. */
  unreadForMs?: number;
  /** How files are written; another one in tests of disks that fail. */
  write?: typeof writeDurably;
  /** Throws while something else that the worker needs of its disk does not work. */
  probe?: () => Promise<void>;
};
/** `full` and `failing`: a result could not be kept just now, so no work is taken on. */
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
const UNREAD_MS = 600_000;
const ROOM_BYTES = 1_048_576;
const ROOM_FILES = 64;
const PROBE_BYTES = 65_536;
const NAMED = /^(\d{12})-[a-z]+\.spool$/;
const NUMBERED = /^(\d{12})-/;
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

class SpoolFull extends Error {
  readonly code = 'ENOSPC';
}

/** Keeps on the disk what could not be sent, in order, bounded in bytes and age. Only one process uses its folder. */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #write: typeof writeDurably;
  readonly #gone = new Map<number, () => void>();
  readonly #unreadSince = new Map<number, number>();
  readonly #removed = new WeakSet<Item>();
  #items: Item[] = [];
  #next = 1;
  #broken = 0;
  #fault: { isFull: boolean; message: string } | null = null;
  #writing: Promise<unknown> = Promise.resolve();
  #finding: Promise<void> | null = null;
  /** Told when something was put in, and when the state has changed. */
  onChange: () => void = () => {};

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#write = options.write ?? writeDurably;
  }

  /** Finds what an earlier process left. A folder that cannot be used shows in the state and stops nobody. */
  open(): Promise<void> {
    return this.check();
  }

  /** Before this has been done once, nothing is put in: it could take the place of what is there. */
  #found(): Promise<void> {
    this.#finding ??= this.#find().catch((error) => {
      this.#finding = null;
      throw error;
    });
    return this.#finding;
  }

  async #find(): Promise<void> {
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

  /** Resolves when the entry is safe on the disk; throws when it cannot be kept. Logs and files leave the other half to results. */
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
      await this.#found();
      if (this.bytes + content.length > (isMaterial ? maxBytes / 2 : maxBytes)) throw new SpoolFull(`it holds ${maxBytes} bytes at most`);
      const seq = this.#next++;
      const path = join(folder, `${String(seq).padStart(12, '0')}-${entry.kind}.spool`);
      await this.#write(path, content);
      const item = { seq, path, bytes: content.length, keptAtMs: Date.now() };
      this.#items.push(item);
      this.#works();
      this.onChange();
      return item;
    } catch (error) {
      // That a file or much output does not fit says nothing of results.
      if (!(error instanceof SpoolFull && isMaterial)) this.#failed(error);
      throw error;
    }
  }

  /** Null when the file is broken, which is then set aside, or is gone; throws when it cannot be read just now. */
  async read(item: Item): Promise<ReturnType<typeof decodeEntry> | null> {
    try {
      const file = decodeEntry(await readFile(item.path));
      this.#unreadSince.delete(item.seq);
      return file;
    } catch (error) {
      if (this.#removed.has(item)) return null;
      if (this.#mayPass(item, error as NodeJS.ErrnoException)) throw error;
      this.#broken++;
      this.#options.log('error', 'spool.broken', { file: `${item.path}.broken`, error: (error as Error).message });
      await rename(item.path, `${item.path}.broken`).catch(() => {});
      this.#forget(item);
      return null;
    }
  }

  /** An error of the system says nothing of the content, unless it lasts. */
  #mayPass({ seq }: Item, { errno, code }: NodeJS.ErrnoException): boolean {
    if (errno === undefined || code === 'ENOENT') return false;
    const since = this.#unreadSince.get(seq) ?? performance.now();
    this.#unreadSince.set(seq, since);
    return performance.now() - since <= (this.#options.unreadForMs ?? UNREAD_MS);
  }

  async remove(item: Item): Promise<void> {
    this.#removed.add(item);
    await rm(item.path, { force: true }).catch((error) => this.#failed(error));
    this.#forget(item);
  }

  /** Resolves when the entry has been sent, or given up. */
  gone({ seq }: Item): Promise<void> {
    if (!this.#items.some((it) => it.seq === seq)) return Promise.resolve();
    return new Promise((resolve) => this.#gone.set(seq, resolve));
  }

  #forget({ seq }: Item): void {
    this.#items = this.#items.filter((it) => it.seq !== seq);
    this.#gone.get(seq)?.();
    this.#gone.delete(seq);
    this.#unreadSince.delete(seq);
  }

  /** Drops what is too old, and looks whether a result could be kept: by writing something where there is doubt. */
  async check(): Promise<void> {
    const { maxAgeMs = DAY_MS, log } = this.#options;
    try {
      await this.#found();
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
    // Some kinds of disks do not count their files, and say 0.
    const hasRoom = bavail * bsize >= ROOM_BYTES && (files === 0 || ffree >= ROOM_FILES);
    if (this.#fault === null && hasRoom) return;
    await this.#options.probe?.();
    if (this.bytes + PROBE_BYTES > maxBytes) return;
    const probe = join(folder, `probe${TEMPORARY}`);
    await this.#write(probe, Buffer.alloc(PROBE_BYTES));
    await rm(probe, { force: true });
    this.#works();
  }

  /** Something else failed on its disk: no work is taken on until a check finds that it works. */
  fails(error: unknown): void {
    this.#failed(error);
  }

  #works(): void {
    if (this.#fault === null) return;
    this.#fault = null;
    this.#options.log('info', 'spool.works', {});
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
