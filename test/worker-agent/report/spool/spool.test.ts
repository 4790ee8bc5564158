import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeDurably } from '../../../../worker-agent/src/agent/durable-file.ts';
import { decodeEntry, encodeEntry, type SpoolEntry } from '../../../../worker-agent/src/report/spool/spool-entry.ts';
import { Spool, type SpoolOptions } from '../../../../worker-agent/src/report/spool/spool.ts';
import { folderForTest, type Line, until } from '../../support/agent.ts';

const completed = (result: string): SpoolEntry => ({
  kind: 'completed',
  subtask_id: randomUUID(),
  lease_token: randomUUID(),
  attempt: 1,
  result,
});
const logs = (content: string): SpoolEntry => {
  const { subtask_id, lease_token, attempt } = completed('');
  return { kind: 'logs', subtask_id, lease_token, attempt, chunks: [{ chunk: 0, stream: 'stdout', content }] };
};

const spoolForTest = async (given: Partial<SpoolOptions> = {}) => {
  const folder = given.folder ?? join(await folderForTest(), 'spool');
  const lines: Line[] = [];
  const spool = new Spool({
    folder,
    maxBytes: 1_000_000,
    log: (level, event, more) => void lines.push({ level, event, ...more }),
    ...given,
  });
  await spool.open();
  return { spool, folder, events: () => lines.map(({ event }) => event) };
};
const results = async (spool: Spool) => {
  const read = await Promise.all(spool.items.map((item) => spool.read(item)));
  return read.map((it) => (it?.entry as { result?: string } | undefined)?.result);
};
const failure = (code: string) => Object.assign(new Error(`the disk reports ${code}`), { code });

describe('the spool', () => {
  it('returns its entries in order, also to the next process', async () => {
    const { spool, folder } = await spoolForTest();
    await Promise.all(['a', 'b', 'c'].map((result) => spool.put(completed(result))));
    const next = await spoolForTest({ folder });

    await next.spool.put(completed('d'));

    expect(await results(next.spool)).toEqual(['a', 'b', 'c', 'd']);
    expect(next.events()).toEqual(['spool.found']);
    expect(next.spool.state()).toMatchObject({ status: 'waiting', entries: 4, error: null });
  });

  it.skipIf(process.platform === 'win32')('lets only its owner read', async () => {
    const { spool, folder } = await spoolForTest();

    const { path } = await spool.put(completed('a'));

    expect([statSync(folder).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
  });

  it('accepts a file only if it is complete', () => {
    const file = encodeEntry(completed('a result'), Buffer.from('and bytes'));
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, isTorn) => {
        const broken = Buffer.from(isTorn ? file.subarray(0, at) : file);
        if (!isTorn) broken[at] = (broken[at] as number) ^ change;

        expect(() => decodeEntry(broken)).toThrow();
      }),
    );
    expect(decodeEntry(file)).toMatchObject({ entry: { result: 'a result' }, bytes: Buffer.from('and bytes') });
  });

  it('sets broken files aside, reports them and continues with the others', async () => {
    const { spool, folder } = await spoolForTest();
    for (const result of ['a', 'b', 'c']) await spool.put(completed(result));
    const [first, second] = spool.items.map(({ path }) => path) as [string, string];
    writeFileSync(first, readFileSync(first).subarray(0, -5));
    writeFileSync(second, 'garbage');
    writeFileSync(join(folder, '000000000009-completed.spool.x.tmp'), 'half of a file');
    writeFileSync(join(folder, 'notes.txt'), 'not ours');
    const next = await spoolForTest({ folder });

    expect(await results(next.spool)).toEqual([undefined, undefined, 'c']);

    expect(next.events()).toEqual(['spool.found', 'spool.broken', 'spool.broken']);
    expect(next.spool.state()).toMatchObject({ entries: 1, broken: 2 });
    expect(
      readdirSync(folder)
        .filter((name) => !name.endsWith('c.spool'))
        .toSorted(),
    ).toEqual(
      [`${first}.broken`, `${second}.broken`, spool.items[2]?.path as string, join(folder, 'notes.txt')]
        .map((path) => path.slice(folder.length + 1))
        .toSorted(),
    );
  });

  it('does not count an entry that was removed meanwhile as broken', async () => {
    const { spool, events } = await spoolForTest();
    const item = await spool.put(completed('a'));
    await spool.remove(item);

    expect(await spool.read(item)).toBe(null);

    expect(spool.state().broken).toBe(0);
    expect(events()).toEqual([]);
  });

  it('keeps a file that cannot be read at the moment', async () => {
    const { spool, events } = await spoolForTest();
    const item = await spool.put(completed('a'));
    renameSync(item.path, `${item.path}.away`);
    mkdirSync(item.path);

    await expect(spool.read(item)).rejects.toMatchObject({ code: 'EISDIR' });

    expect(spool.state()).toMatchObject({ entries: 1, broken: 0 });
    rmdirSync(item.path);
    renameSync(`${item.path}.away`, item.path);
    expect(await results(spool)).toEqual(['a']);
    expect(events()).toEqual([]);
  });

  it('sets a file aside that cannot be read for a long time, since others wait behind it', async () => {
    const { spool, folder } = await spoolForTest({ unreadableForMs: 100 });
    const item = await spool.put(completed('a'));
    unlinkSync(item.path);
    mkdirSync(item.path);
    await expect(spool.read(item)).rejects.toMatchObject({ code: 'EISDIR' });

    expect(await until(() => spool.read(item))).toBe(null);

    expect(spool.state()).toMatchObject({ entries: 0, broken: 1 });
    expect(readdirSync(folder)).toEqual(['000000000001-completed.spool.broken']);
  });

  it('does not prevent the start if its folder cannot be created', async () => {
    const folder = join(await folderForTest(), 'a file');
    writeFileSync(folder, '');

    const { spool } = await spoolForTest({ folder });

    expect(spool.canKeep).toBe(false);
    expect(spool.state()).toMatchObject({ status: 'failing', error: expect.stringMatching(/EEXIST|ENOTDIR/) });
    await expect(spool.put(completed('a'))).rejects.toThrow();
  });

  it('does not reuse the number of an existing entry, even if its folder could not be read at the start', async () => {
    const { spool: before, folder } = await spoolForTest();
    await before.put(completed('old'));
    renameSync(folder, `${folder}.away`);
    writeFileSync(folder, '');
    const { spool } = await spoolForTest({ folder });
    expect(spool.canKeep).toBe(false);
    unlinkSync(folder);
    renameSync(`${folder}.away`, folder);

    await spool.put(completed('new'));

    expect(await results(spool)).toEqual(['old', 'new']);
  });

  it('finds existing entries when its folder can be read again', async () => {
    const { spool: before, folder } = await spoolForTest();
    await before.put(completed('old'));
    renameSync(folder, `${folder}.away`);
    writeFileSync(folder, '');
    const { spool, events } = await spoolForTest({ folder });
    unlinkSync(folder);
    renameSync(`${folder}.away`, folder);

    await Promise.all([spool.check(), spool.put(completed('new'))]);

    expect(await results(spool)).toEqual(['old', 'new']);
    expect(events()).toEqual(['spool.failing', 'spool.found', 'spool.recovered']);
  });

  it.each(['000000000007-completed.spool.broken', '000000000007-odd.name'])(
    'does not reuse a number that is in a file name: %s',
    async (name) => {
      const folder = await folderForTest();
      writeFileSync(join(folder, name), '');
      const { spool } = await spoolForTest({ folder });

      const { seq } = await spool.put(completed('a'));

      expect(seq).toBe(8);
    },
  );

  it.skipIf(process.platform === 'win32')('finds the other entries if one cannot be accessed', async () => {
    const { spool: before, folder } = await spoolForTest();
    for (const result of ['a', 'b']) await before.put(completed(result));
    symlinkSync('000000000003-logs.spool', join(folder, '000000000003-logs.spool'));

    const { spool } = await spoolForTest({ folder });

    expect(spool.canKeep).toBe(true);
    expect(spool.items.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it('drops what is too old', async () => {
    const { spool, folder } = await spoolForTest();
    const { path } = await spool.put(completed('old'));
    await spool.put(completed('new'));
    utimesSync(path, 1_000_000, 1_000_000);

    const next = await spoolForTest({ folder, maxAgeMs: 60_000 });

    expect(await results(next.spool)).toEqual(['new']);
    expect(next.events()).toContain('spool.expired');
  });

  it('holds at most the allowed bytes, and logs and files only half of them', async () => {
    const { spool, events } = await spoolForTest({ maxBytes: 10_000 });
    await spool.put(logs('x'.repeat(4_000)));

    await expect(spool.put(logs('x'.repeat(1_000)))).rejects.toThrow('10000 bytes');
    expect(spool.canKeep).toBe(true);
    await spool.put(completed('x'.repeat(4_000)));
    await expect(spool.put(completed('x'.repeat(4_000)))).rejects.toThrow('10000 bytes');

    expect(spool.state()).toMatchObject({ status: 'full', entries: 2 });
    expect(events()).toEqual(['spool.full']);
  });

  it('keeps to that limit when entries are added at the same time', async () => {
    const { spool } = await spoolForTest({ maxBytes: 10_000 });

    const puts = await Promise.allSettled(['a', 'b', 'c'].map((letter) => spool.put(completed(letter.repeat(6_000)))));

    expect(puts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(spool.bytes).toBeLessThan(10_000);
  });

  it('reports a full or failing disk, loses no entry, and recovers when the disk does', async () => {
    let code: string | null = null;
    const write: typeof writeDurably = (path, content) => (code === null ? writeDurably(path, content) : Promise.reject(failure(code)));
    const { spool, events } = await spoolForTest({ write });
    await spool.put(completed('a'));

    code = 'ENOSPC';
    await expect(spool.put(completed('lost'))).rejects.toThrow('ENOSPC');
    const full = spool.state();
    code = 'EIO';
    await spool.check();
    const failing = spool.state();
    code = null;
    await spool.check();
    await spool.put(completed('b'));

    expect(full).toMatchObject({ status: 'full', entries: 1, error: 'the disk reports ENOSPC' });
    expect(failing).toMatchObject({ status: 'failing', error: 'the disk reports EIO' });
    expect(spool.state()).toMatchObject({ status: 'waiting', entries: 2, error: null });
    expect(await results(spool)).toEqual(['a', 'b']);
    expect(events()).toEqual(['spool.full', 'spool.failing', 'spool.recovered']);
  });
});

describe('another failure on the same disk', () => {
  it('counts as a fault until that works again', async () => {
    let isBroken = true;
    const probe = async () => {
      if (isBroken) throw failure('EROFS');
    };
    const { spool, events } = await spoolForTest({ probe });

    spool.reportFailure(failure('EROFS'));
    await spool.check();
    const failing = spool.state();
    isBroken = false;
    await spool.check();

    expect(failing).toMatchObject({ status: 'failing', error: 'the disk reports EROFS' });
    expect(spool.canKeep).toBe(true);
    expect(events()).toEqual(['spool.failing', 'spool.recovered']);
  });
});

/** Mounts a disk, if this process may do so. */
const smallDisk = async (options = 'size=512k'): Promise<string | null> => {
  const folder = join(await folderForTest(), 'disk');
  await mkdir(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  onTestFinished(() => void execFileSync('umount', [folder]));
  await chmod(folder, 0o700);
  return folder;
};

describe('on a real disk that is full, the spool', () => {
  it('stores each entry completely or not at all', async ({ skip }) => {
    const disk = await smallDisk();
    skip(disk === null, 'a small disk cannot be mounted here');
    const { spool, folder } = await spoolForTest({ folder: join(disk as string, 'spool') });
    let kept = 0;
    const fill = async () => {
      for (; kept < 1_000; kept++) await spool.put(completed(String(kept).padStart(20_000, '0')));
    };

    await expect(fill()).rejects.toMatchObject({ code: 'ENOSPC' });

    expect(spool.state()).toMatchObject({ status: 'full', entries: kept });
    const next = await spoolForTest({ folder });
    expect((await results(next.spool)).map(Number)).toEqual(Array.from({ length: kept }, (_, at) => at));
    expect(next.spool.canKeep).toBe(false);

    for (const item of next.spool.items.slice(0, 8)) await next.spool.remove(item);
    await next.spool.check();

    expect(next.spool.canKeep).toBe(true);
    await next.spool.put(completed('it fits again'));
  });

  it('notices before an entry is added that no file can be created', async ({ skip }) => {
    const disk = await smallDisk('size=4m,nr_inodes=20');
    skip(disk === null, 'a small disk cannot be mounted here');
    const { spool } = await spoolForTest({ folder: join(disk as string, 'spool') });
    const canKeepFirst = spool.canKeep;
    const fill = () => {
      for (let at = 0; at < 30; at++) writeFileSync(join(disk as string, String(at)), '');
    };
    expect(fill).toThrow('ENOSPC');

    await spool.check();

    expect(canKeepFirst).toBe(true);
    expect(spool.state()).toMatchObject({ status: 'full' });
  });
});
