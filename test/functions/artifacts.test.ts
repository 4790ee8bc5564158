import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BYTES, createWorld, SHA256, type World } from './http/support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const spec = (name: string) => ({ name, content_type: 'text/plain', size_bytes: BYTES.length, sha256: SHA256 });

/** A held subtask and the announcement of a file for it. */
const holding = async () => {
  const { worker, params, fence } = await world.held();
  return {
    announce: (name: string, other = {}) => worker.as.createArtifact({ params, body: { ...fence, ...spec(name), ...other } }),
    confirm: (artifact_id: string) => worker.as.storeArtifact({ params: { ...params, artifact_id }, body: fence }),
  };
};

describe('an artifact', () => {
  it('announced again is the same one, with a fresh way up until its bytes are there', async () => {
    const { announce, confirm } = await holding();
    const first = await announce('a.txt');
    const again = await announce('a.txt');
    world.blobs.put(first.body.artifact_id, BYTES);
    await confirm(first.body.artifact_id);

    expect([first.body.status, first.body.upload?.method, again.body.artifact_id]).toEqual(['pending', 'PUT', first.body.artifact_id]);
    expect((await announce('a.txt')).body).toMatchObject({ artifact_id: first.body.artifact_id, status: 'stored', upload: null });
  });

  it('announced with other bytes under its name is refused', async () => {
    const { announce } = await holding();
    await announce('a.txt');

    expect(await announce('a.txt', { size_bytes: 1 })).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
    expect(await announce('a.txt', { sha256: '0'.repeat(64) })).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
  });

  it('is stored only when its bytes are there and are those that were announced', async () => {
    const { announce, confirm } = await holding();
    const { artifact_id } = (await announce('a.txt')).body;

    expect(await confirm(artifact_id)).toMatchObject({ status: 409, body: { code: 'artifact_not_stored' } });
    world.blobs.put(artifact_id, Buffer.from('cut'));
    expect(await confirm(artifact_id)).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
    world.blobs.put(artifact_id, BYTES);
    expect(await confirm(artifact_id)).toMatchObject({ status: 200, body: { status: 'stored' } });
  });

  it('beyond the 200th of an attempt is refused; one of the 200 may still be announced again', async () => {
    const { announce } = await holding();
    const first = await Promise.all(Array.from({ length: 200 }, (_, at) => announce(`${at}.txt`)));

    expect(first.filter(({ status }) => status !== 201)).toEqual([]);
    expect(await announce('201.txt')).toMatchObject({ status: 429, body: { code: 'too_many' } });
    expect(await announce('199.txt')).toMatchObject({ status: 201, body: { artifact_id: first[199]?.body.artifact_id } });
  });
});
