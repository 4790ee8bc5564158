import { execFile } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { postgres } from '../../../functions/platform/postgres/driver.ts';
import { isRepaired, repair, repairFile, VERSION } from '../../../functions/platform/postgres/repair.ts';
import { createDatabase } from '../../support/backend.ts';

const ROOT = join(import.meta.dirname, '../../..');
const PUBLISHED = join(ROOT, 'node_modules/postgres/src/connection.js');
const published = () => readFile(PUBLISHED, 'utf8');

/** The output of a plain Node process. */
const run = async (script: string) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT, timeout: 30_000 });
  return stdout.trim();
};
const DRIVER = './functions/platform/postgres/driver.ts';

describe('the repair of the driver', () => {
  it('changes the published text', async () => {
    expect(repair(await published())).not.toContain('const x = socket.write(chunk, fn)');
  });

  it('refuses a text that differs by one character', async () => {
    const text = await published();

    expect(() => repair(`${text} `)).toThrow(`connection.js of the package postgres is not that of ${VERSION}`);
  });

  it('refuses another version', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'maw-driver-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, 'src'));
    await writeFile(join(folder, 'package.json'), '{ "version": "3.4.10" }');
    await writeFile(join(folder, 'src/connection.js'), await published());

    expect(() => repairFile(join(folder, 'src/connection.js'))).toThrow('for 3.4.9, and 3.4.10 is installed');
  });

  it('is for the version that is pinned', async () => {
    const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));

    expect(dependencies.postgres).toBe(VERSION);
  });

  it('is in the driver of this process, and in that of a plain Node process', async () => {
    expect(isRepaired()).toBe(true);
    expect(
      await run(
        `await import('${DRIVER}'); const { isRepaired } = await import('${DRIVER.replace('driver', 'repair')}'); console.log(isRepaired())`,
      ),
    ).toBe('true');
  });

  it('causes an error if it is missing because the package was loaded before', async () => {
    const script = `await import('postgres'); await import('${DRIVER}').catch((error) => console.log(error.message))`;

    expect(await run(script)).toContain('was loaded before its repair');
  });
});

/** A connection of the driver that was taken out of its pool and has lost its server; its pool makes new ones. */
const lostConnection = async () => {
  const { url, drop } = await createDatabase();
  const closed = Promise.withResolvers<void>();
  const sql = postgres(url, { max: 1, fetch_types: false, backoff: () => 0, onclose: () => closed.resolve() });
  onTestFinished(async () => {
    await sql.end({ timeout: 1 });
    await drop();
  });
  await sql`select 1`;
  const reserved = await sql.reserve();
  await reserved.unsafe('select pg_terminate_backend(pg_backend_pid())').catch(() => {});
  await closed.promise;
  return { sql, reserved };
};

/** Version 3.0, which the first message on a socket names. */
const PROTOCOL = 3 << 16;
const ACCEPTED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);

/** The parts of a socket that the driver uses; the test decides when its close event is emitted. */
class ScriptedSocket extends EventEmitter {
  readonly received: Buffer[] = [];
  readonly readyState = 'open';
  writable = true;
  write(bytes: Buffer) {
    this.received.push(bytes);
    if (this.received.length === 1) this.emit('data', ACCEPTED);
    return true;
  }
  end() {}
  destroy() {}
}

const written = () => new Promise((resolve) => setImmediate(resolve));

/** A client of the driver that is connected, and the sockets that it has opened. */
const scripted = async () => {
  const sockets: ScriptedSocket[] = [];
  const socket = () => {
    const it = new ScriptedSocket();
    sockets.push(it);
    return it;
  };
  const options = { max: 1, fetch_types: false, backoff: () => 0, socket };
  const sql = postgres(options as unknown as Exclude<Parameters<typeof postgres>[0], string | undefined>);
  const first = sql.unsafe('select 0').catch(() => {});
  await expect.poll(() => sockets[0]?.received.length).toBe(2);
  sockets[0]?.emit('data', Buffer.from([0x43, 0, 0, 0, 13, ...Buffer.from('SELECT 0\0'), 0x5a, 0, 0, 0, 5, 0x49]));
  await first;
  sockets[0]?.received.pop();
  return { sql, sockets };
};

describe('a connection of the driver whose socket is gone', () => {
  it('fails its statements, and the process continues', async () => {
    const { reserved } = await lostConnection();

    await expect(reserved`select ${'short'}`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    await expect(reserved`select ${'long'.repeat(1_000)}`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  });

  it('reconnects, and works', async () => {
    const { sql, reserved } = await lostConnection();
    await Promise.allSettled([reserved`select ${'lost'}`]);

    expect([...(await sql`select ${'found'}::text as word`)]).toEqual([{ word: 'found' }]);
  });

  it('fails statements sent between the error and the end of the socket', async () => {
    const { sql, sockets } = await scripted();

    sockets[0]?.emit('error', new Error('reset'));
    const sent = sql.unsafe('select 1').catch((error: unknown) => error);
    await written();
    sockets[0]?.emit('close', true);

    expect(await sent).toMatchObject({ code: 'CONNECTION_CLOSED' });
  });

  it('writes nothing to a socket that is no longer writable', async () => {
    const { sql, sockets } = await scripted();
    const [socket] = sockets as [ScriptedSocket];
    socket.writable = false;

    await expect(sql.unsafe('select 1').execute()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });

    expect(socket.received).toHaveLength(1);
  });

  it('discards unwritten bytes: the next socket begins with its own first message', async () => {
    const { sql, sockets } = await scripted();

    const sent = sql.unsafe('select 1').catch((error: unknown) => error);
    await Promise.resolve(); // it is sent in this turn, and would be written in the next
    await Promise.resolve();
    sockets[0]?.emit('close', false);
    expect(await sent).toMatchObject({ code: 'CONNECTION_CLOSED' });
    sql.unsafe('select 2').catch(() => {});

    await expect.poll(() => sockets[1]?.received[0]?.readUInt32BE(4)).toBe(PROTOCOL);
    expect(sockets[0]?.received).toHaveLength(1);
    expect(repair(await published()).split('clearImmediate(nextWriteTimer)')).toHaveLength(2);
  });
});
