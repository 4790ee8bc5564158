import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BYTES, createWorld, SHA256, type World } from './http/support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const spec = (name: string) => ({ name, content_type: 'text/plain', size_bytes: BYTES.length, sha256: SHA256 });

/** A claimed subtask and a function that announces a file for it. */
const holding = async () => {
  const { worker, params, fence } = await world.held();
  const complete = (result_artifact_id: string) => worker.as.completeSubtask({ params, body: { ...fence, result_artifact_id } });
  return {
    complete,
    announce: (name: string, other = {}) => worker.as.createArtifact({ params, body: { ...fence, ...spec(name), ...other } }),
    confirm: (artifact_id: string) => worker.as.storeArtifact({ params: { ...params, artifact_id }, body: fence }),
  };
};

describe('an artifact', () => {
  it('announced again is the same artifact, with a fresh upload request until its bytes are stored', async () => {
    const { announce, confirm } = await holding();
    const first = await announce('a.txt');
    const again = await announce('a.txt');
    world.blobs.put(first.body.artifact_id, BYTES);
    await confirm(first.body.artifact_id);

    expect([first.body.status, first.body.upload?.method, again.body.artifact_id]).toEqual(['pending', 'PUT', first.body.artifact_id]);
    expect((await announce('a.txt')).body).toMatchObject({ artifact_id: first.body.artifact_id, status: 'stored', upload: null });
  });

  it('has the id that its worker chooses, unless that is the id of another file', async () => {
    const { announce } = await holding();
    const artifact_id = randomUUID();
    const other = await holding();

    expect(await announce('a.txt', { artifact_id })).toMatchObject({ status: 201, body: { artifact_id } });
    expect(await announce('a.txt', { artifact_id })).toMatchObject({ status: 201, body: { artifact_id } });
    expect(await announce('b.txt', { artifact_id })).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
    expect(await other.announce('a.txt', { artifact_id })).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
  });

  it('announced with other bytes under its name is refused', async () => {
    const { announce } = await holding();
    await announce('a.txt');

    expect(await announce('a.txt', { size_bytes: 1 })).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
    expect(await announce('a.txt', { sha256: '0'.repeat(64) })).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
  });

  it('is stored only once the announced bytes have been uploaded', async () => {
    const { announce, confirm } = await holding();
    const { artifact_id } = (await announce('a.txt')).body;

    expect(await confirm(artifact_id)).toMatchObject({ status: 409, body: { code: 'artifact_not_stored' } });
    world.blobs.put(artifact_id, Buffer.from('cut'));
    expect(await confirm(artifact_id)).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
    world.blobs.put(artifact_id, Buffer.alloc(BYTES.length, 'x')); // different bytes of the same size
    expect(await confirm(artifact_id)).toMatchObject({ status: 422, body: { code: 'artifact_mismatch' } });
    world.blobs.put(artifact_id, BYTES);
    expect(await confirm(artifact_id)).toMatchObject({ status: 200, body: { status: 'stored' } });
  });

  it('beyond the 200th of an attempt is refused; one of the 200 may still be announced again', async () => {
    const { announce } = await holding();
    const first: Awaited<ReturnType<typeof announce>>[] = [];
    for (let at = 0; at < 200; at++) first.push(await announce(`${at}.txt`)); // concurrently, the last ones would wait long for a connection

    expect(first.filter(({ status }) => status !== 201)).toEqual([]);
    expect(await announce('201.txt')).toMatchObject({ status: 429, body: { code: 'too_many' } });
    expect(await announce('199.txt')).toMatchObject({ status: 201, body: { artifact_id: first[199]?.body.artifact_id } });
  });

  it('is the result of its attempt only once it is stored', async () => {
    const { announce, confirm, complete } = await holding();
    const { artifact_id } = (await announce('a.txt')).body;

    const refused = await complete(artifact_id);
    world.blobs.put(artifact_id, BYTES);
    await confirm(artifact_id);

    expect(refused).toMatchObject({ status: 409, body: { code: 'artifact_not_stored' } });
    expect(await complete(artifact_id)).toMatchObject({ status: 200, body: { status: 'completed' } });
  });

  it('is the result of no other attempt', async () => {
    const [{ announce, confirm }, other] = [await holding(), await holding()];
    const { artifact_id } = (await announce('a.txt')).body;
    world.blobs.put(artifact_id, BYTES);
    await confirm(artifact_id);

    expect(await other.complete(artifact_id)).toMatchObject({ status: 404, body: { code: 'artifact_not_found' } });
  });

  it('is not replaced as the result by another one', async () => {
    const { announce, confirm, complete } = await holding();
    const ids = [(await announce('a.txt')).body.artifact_id, (await announce('b.txt')).body.artifact_id] as const;
    for (const artifact_id of ids) {
      world.blobs.put(artifact_id, BYTES);
      await confirm(artifact_id);
    }

    const replies = [await complete(ids[0]), await complete(ids[0]), await complete(ids[1])];

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 409]);
    expect(replies[2]?.body).toMatchObject({ code: 'attempt_ended' });
  });

  it('of an earlier attempt is neither stored by a later one nor its result', async () => {
    const { worker, it: earlier, params } = await world.held();
    const announced = async (it: typeof earlier) =>
      (await worker.as.ok.createArtifact({ params, body: { ...worker.fence(it), ...spec('a.txt') } })).artifact_id;
    const old = await announced(earlier);
    world.blobs.put(old, BYTES);
    await worker.release(earlier);
    const [later] = await worker.claim();
    if (later === undefined) throw new Error('it was to be claimed again');

    const fence = worker.fence(later);
    const stored = await worker.as.storeArtifact({ params: { ...params, artifact_id: old }, body: fence });
    const completed = await worker.as.completeSubtask({ params, body: { ...fence, result_artifact_id: old } });

    expect(stored).toMatchObject({ status: 404, body: { code: 'artifact_not_found' } });
    expect(completed).toMatchObject({ status: 404, body: { code: 'artifact_not_found' } });
    expect(await announced(later)).not.toBe(old);
  });
});

describe("a parent's output", () => {
  it('is available to the worker that holds the child, and only while it holds it', async () => {
    const { worker, it: child, params } = await world.held();
    const read = () => worker.as.getInput({ params: { ...params, key: 'first' } });

    const held = await read();
    await worker.complete(child);

    expect(held).toMatchObject({ status: 200, body: { result: { words: 3 }, included: true } });
    expect(await read()).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
  });
});
