import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../schema/client/client.ts';
import { createDatabase } from '../support/backend.ts';
import { killAtOnce, until } from '../support/processes.ts';
import { exitOf, installationForTest, isAlive } from './support/start.ts';

/** Where a process can't be asked to end. */
const isWindows = process.platform === 'win32';
const KEY = /mak_[\w-]{20,}/;

describe('npm start', { timeout: 180_000 }, () => {
  it('prints its addresses and, the first time only, the admin key, which works and stays with its owner', async () => {
    const installation = await installationForTest();

    const first = installation.start();
    await installation.ready(first);
    const key = KEY.exec(first.output())?.[0] ?? '';
    const task = await createClient({ url: installation.url, token: key }).submitTask({ body: { goal: 'kept' } });
    await first.kill('SIGTERM');
    const began = performance.now();
    const second = installation.start();
    await installation.ready(second);
    console.log(`a second start took ${Math.round(performance.now() - began)} ms`);

    expect(first.output()).toContain(`${installation.url}/api/v1`);
    expect(first.output()).toContain(`${installation.url}/docs`);
    expect(second.output()).toContain(`${installation.url}/api/v1`);
    expect(second.output()).not.toMatch(KEY);
    expect(await installation.adminKey()).toBe(key);
    if (!isWindows) expect((await stat(join(installation.data, 'admin-key'))).mode & 0o777).toBe(0o600);
    expect(await createClient({ url: installation.url, token: key }).getTask({ params: { task_id: task.task_id } })).toMatchObject({
      goal: 'kept',
    });
  });

  it('takes a free port with --port 0, on loopback alone', async () => {
    const installation = await installationForTest();

    const system = installation.start(['--port', '0']);
    await installation.ready(system);

    const [health = '', port] = /http:\/\/127\.0\.0\.1:(\d+)\/api\/v1\/health/.exec(system.output()) ?? [];
    expect((await fetch(health)).status).toBe(200);
    const others = Object.values(networkInterfaces()).flatMap((list = []) => list.filter((it) => !it.internal && it.family === 'IPv4'));
    for (const { address } of others) await expect(fetch(`http://${address}:${port}/`)).rejects.toThrow('fetch failed');
  });

  it('tells workers and clients the address in PUBLIC_URL, and says that it uses its own key and not SECRET_KEY', async () => {
    const installation = await installationForTest();

    const system = installation.start([], { PUBLIC_URL: 'http://box.test:80/', SECRET_KEY: 'a key of another deployment, which is long' });
    await installation.ready(system);

    const { servers } = (await (await fetch(`${installation.url}/openapi.json`)).json()) as { servers: unknown };
    expect(servers).toEqual([expect.objectContaining({ url: 'http://box.test:80' })]);
    expect(system.output()).toContain('MAW_URL=http://box.test:80');
    expect(system.output()).toContain(`SECRET_KEY is ignored here; this system uses the key in ${join(installation.data, 'secret-key')}`);
  });

  it('has workers that hold work ask every 5 s whether it is still wanted', async () => {
    const installation = await installationForTest();
    await installation.ready(installation.start());
    const admin = createClient({ url: installation.url, token: await installation.adminKey() });
    const { enrolment_token } = await admin.createEnrolmentToken({ body: { tools: ['scripted'] } });

    const worker = createClient({ url: installation.url, token: enrolment_token });
    const { intervals } = await worker.registerWorker({ body: { name: 'w', machine_name: 'm', tools: ['scripted'], slots: 1 } });

    expect(intervals.busy_heartbeat_ms).toBe(5_000);
  });

  it('starts a killed Postgres again, and requests work again', async () => {
    const installation = await installationForTest();
    const system = installation.start();
    await installation.ready(system);
    const client = createClient({ url: installation.url, token: await installation.adminKey() });
    const { task_id } = await client.submitTask({ body: { goal: 'before' } });
    const pid = await installation.postgresPid();

    process.kill(pid, 'SIGKILL');

    // A request may be answered by what is dying still, or by the new one before it counts as back.
    await until('the installation to say so', () => system.output().includes('PostgreSQL is back'));
    await until('requests to work again', () => client.submitTask({ body: { goal: 'after' } }).catch(() => null));
    expect(await installation.postgresPid()).not.toBe(pid);
    expect(await client.getTask({ params: { task_id } })).toMatchObject({ goal: 'before' });
  });

  it.skipIf(isWindows).each([
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
    ['SIGHUP', 'SIGTERM'],
  ] as const)('ends cleanly by %s with a %s at the same time, and leaves no process behind', async (...signals) => {
    const installation = await installationForTest();
    const system = installation.start();
    await installation.ready(system);
    const pid = await installation.postgresPid();

    killAtOnce(system.child, signals); // npm and the terminal may both send one

    expect(await exitOf(system)).toBe(0);
    expect(isAlive(pid)).toBe(false);
    expect(await installation.processes()).toEqual([]);
    expect(await readFile(join(installation.data, 'postgres/postgres.log'), 'utf8')).toContain('database system is shut down');
  });

  it.skipIf(isWindows)('ends cleanly when its terminal is gone, which takes no more of its lines', async () => {
    const installation = await installationForTest();
    const system = installation.start();
    await installation.ready(system);

    for (const stream of [system.child.stdout, system.child.stderr]) stream?.destroy();
    system.child.kill('SIGHUP');

    expect(await exitOf(system)).toBe(0);
    expect(existsSync(join(installation.data, 'home.lock'))).toBe(false);
    expect(await installation.processes()).toEqual([]);
  });

  it.skipIf(isWindows)('ends cleanly also when it is told to while it starts', async () => {
    const installation = await installationForTest();
    const system = installation.start();
    await until('it to begin', () => system.output().includes('starting PostgreSQL'));

    system.child.kill('SIGTERM');

    expect(await exitOf(system)).toBe(0);
    expect(await installation.processes()).toEqual([]);
  });

  it('takes over from a run that was killed, and the Postgres that it left', async () => {
    const installation = await installationForTest();
    const killed = installation.start();
    await installation.ready(killed);
    const orphan = await installation.postgresPid();
    await killed.kill('SIGKILL');

    const system = installation.start();
    await installation.ready(system);

    expect(system.output()).toContain(`stopping the PostgreSQL (process ${orphan})`);
    expect(isAlive(orphan)).toBe(false);
    expect((await fetch(`${installation.url}/api/v1/health`)).status).toBe(200);
  });

  it('says that its port is taken, and leaves nothing behind', async () => {
    const installation = await installationForTest();
    const other = createServer().listen(installation.port, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');

    const system = installation.start();

    expect(await exitOf(system)).toBe(1);
    expect(system.output()).toContain(
      `Port ${installation.port} is already in use. Stop the program that uses it, or choose another port: npm start -- --port 0`,
    );
    expect(await installation.processes()).toEqual([]);
    expect(existsSync(join(installation.data, 'home.lock'))).toBe(false);
  });

  it('says that its folder is in use by another system, which goes on', async () => {
    const installation = await installationForTest();
    const first = installation.start();
    await installation.ready(first);

    const second = installation.start(['--port', '0']);

    expect(await exitOf(second)).toBe(1);
    expect(second.output()).toContain(
      `${installation.data} is in use by the process ${first.child.pid}; stop that one, or choose another folder`,
    );
    expect((await fetch(`${installation.url}/api/v1/health`)).status).toBe(200);
  });

  it('uses the database at DATABASE_URL, and starts none of its own', async () => {
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    const [installation, another] = [await installationForTest(), await installationForTest()];

    const first = installation.start([], { DATABASE_URL: database.url });
    await installation.ready(first);
    const client = createClient({ url: installation.url, token: await installation.adminKey() });
    await client.submitTask({ body: { goal: 'elsewhere' } });
    await first.kill('SIGTERM');
    const second = another.start([], { DATABASE_URL: database.url });
    await another.ready(second);

    expect(first.output()).toContain(`using the PostgreSQL at ${new URL(database.url).host} (DATABASE_URL)`);
    expect(existsSync(join(installation.data, 'postgres'))).toBe(false);
    expect(second.output()).not.toMatch(KEY);
    expect(second.output()).toContain('MAW_API_KEY=mak_…');
    const there = createClient({ url: another.url, token: await installation.adminKey() });
    expect((await there.listTasks()).items).toEqual([expect.objectContaining({ goal: 'elsewhere' })]);
  });

  it.each<[string[], Record<string, string>, RegExp]>([
    [['--prot', '1'], {}, /Unknown option '--prot'[\s\S]*--port NUMBER/],
    [['--port', '70000'], {}, /--port \(MAW_PORT\) must be a whole number from 0 to 65535, not 70000/],
    [['surplus'], {}, /Unexpected argument 'surplus'/],
    [['--public-url', 'here:80'], {}, /--public-url \(MAW_PUBLIC_URL, PUBLIC_URL\) must be a URL such as http:\/\/\S+, not here:80/],
    [
      ['--listen', '203.0.113.7'],
      {},
      /This machine does not have the address 203\.0\.113\.7; set --listen to one of its addresses or to 0\.0\.0\.0/,
    ],
    [['--data', 'package.json'], {}, /package\.json is not a folder; choose another one with --data/],
    [[], { LEASE_MS: 'long', LOG_LEVEL: 'loud' }, /LEASE_MS: [\s\S]*LOG_LEVEL: /],
    [[], { DATABASE_URL: 'mysql://x' }, /DATABASE_URL: must be a URL such as postgres:/],
    [[], { DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x' }, /The database at DATABASE_URL can't be used: .*ECONNREFUSED/],
  ])('given %j and %j says what would be right, and ends with 1', async (flags, env, message) => {
    const installation = await installationForTest();

    const system = installation.start(flags, env);

    expect(await exitOf(system)).toBe(1);
    expect(system.output()).toMatch(message);
    expect(system.output()).not.toMatch(/secret|^\s+at /m);
    expect(await installation.processes()).toEqual([]);
  });
});
