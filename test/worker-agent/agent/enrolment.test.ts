import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../schema/errors.ts';
import { enrol } from '../../../worker-agent/src/agent/enrolment.ts';
import { StateFile } from '../../../worker-agent/src/agent/state-file.ts';
import { folderForTest } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

const setUp = async () => {
  const platform = await startPlatform();
  const file = new StateFile(await folderForTest(), platform.url, 'my worker');
  const wanted = {
    url: platform.url,
    name: 'my worker',
    tools: ['scripted'],
    slots: 2,
    timeoutMs: 20_000,
    enrolToken: 'mae_one' as string | undefined,
  };
  return { platform, file, wanted };
};

describe('enrolment', () => {
  it('registers with the token and keeps the credential for later starts', async () => {
    const { platform, file, wanted } = await setUp();

    const first = await enrol(file, wanted);
    const later = await enrol(file, { ...wanted, enrolToken: undefined });

    expect(first).toMatchObject({ workerId: platform.worker.worker_id, credential: platform.worker.credential });
    expect(later).toEqual(first);
    expect(platform.of('registerWorker')).toHaveLength(1);
    expect(platform.of('registerWorker')[0]?.headers.authorization).toBe('Bearer mae_one');
    expect(platform.of('registerWorker')[0]?.body).toMatchObject({ name: 'my worker', tools: ['scripted'], slots: 2 });
  });

  it('stores a file that only its owner can read, without the enrolment token', async () => {
    const { file, wanted } = await setUp();

    await enrol(file, wanted);

    expect((await stat(file.path)).mode & 0o777).toBe(0o600);
    expect(await readFile(file.path, 'utf8')).not.toContain('mae_one');
    expect(await readdir(dirname(file.path))).toHaveLength(1);
  });

  it('fails at once when another kind of server answers at the address', async () => {
    const { platform, file, wanted } = await setUp();
    platform.intercept('registerWorker', () => ({ proxyStatus: 404 }));

    await expect(enrol(file, wanted)).rejects.toThrow('404');

    expect(platform.of('registerWorker')).toHaveLength(1);
  });

  it('repeats a registration whose answer was lost with the same id, also after a restart', async () => {
    const { platform, file, wanted } = await setUp();
    let count = 0;
    platform.intercept('registerWorker', () =>
      ++count === 1 ? 'cut-after' : count === 2 ? new AppError('invalid_request', 'the process dies here') : 'pass',
    );

    await expect(enrol(file, wanted)).rejects.toThrow('the process dies here');
    await enrol(file, wanted);

    const ids = platform.of('registerWorker').map(({ body }) => body.registration_id);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
  });

  it('registers a new worker with a new token', async () => {
    const { platform, file, wanted } = await setUp();

    await enrol(file, wanted);
    await enrol(file, { ...wanted, enrolToken: 'mae_two' });

    const ids = platform.of('registerWorker').map(({ body }) => body.registration_id);
    expect(new Set(ids).size).toBe(2);
  });

  it('needs a token at the first start', async () => {
    const { file, wanted } = await setUp();
    await expect(enrol(file, { ...wanted, enrolToken: undefined })).rejects.toThrow('the worker my worker is not enrolled');
  });

  it('refuses to start without the tools that the worker was enrolled with', async () => {
    const { file, wanted } = await setUp();
    await enrol(file, { ...wanted, tools: ['scripted', 'exec'] });
    await expect(enrol(file, wanted)).rejects.toThrow('it would be given work for exec');
  });

  it('survives an upgrade: files of the first versions are read, and fields of newer versions are preserved', async () => {
    const { platform, file, wanted } = await setUp();
    const identity = await enrol(file, wanted);
    const { format, ...first } = JSON.parse(await readFile(file.path, 'utf8'));
    await writeFile(file.path, JSON.stringify({ ...first, of_a_newer_version: true }));

    const after = await enrol(file, { ...wanted, enrolToken: undefined });
    await file.write({ ...(await file.read())!, credential: 'renewed' });

    expect(format).toBe(1);
    expect(after).toEqual(identity);
    expect(platform.of('registerWorker')).toHaveLength(1);
    expect(JSON.parse(await readFile(file.path, 'utf8'))).toMatchObject({ format: 1, of_a_newer_version: true, credential: 'renewed' });
  });

  it('does not touch a file in the format of a newer version', async () => {
    const { file, wanted } = await setUp();
    await enrol(file, wanted);
    const newer = JSON.stringify({ ...JSON.parse(await readFile(file.path, 'utf8')), format: 2 });
    await writeFile(file.path, newer);

    await expect(enrol(file, { ...wanted, enrolToken: 'mae_two' })).rejects.toThrow('was written by a newer version of the worker');

    expect(await readFile(file.path, 'utf8')).toBe(newer);
  });

  it('suggests how to repair a broken file', async () => {
    const { file, wanted } = await setUp();
    await enrol(file, wanted);
    await writeFile(file.path, '{"url":');
    await expect(enrol(file, wanted)).rejects.toThrow(/is broken; remove it and enrol/);
  });
});
