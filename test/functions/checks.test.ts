import { describe, expect, it } from 'vitest';
import { backendForTest } from '../support/backend.ts';
import { enrol } from '../support/worker.ts';

const given = {
  idle_timeout_seconds: 60,
  first_event_timeout_seconds: 10,
  verify: [
    ['npm', 'test'],
    ['git', 'diff', '--check'],
  ],
  result_schema: { type: 'object', properties: { n: { type: 'integer' } }, additionalProperties: false },
};
const none = { idle_timeout_seconds: null, first_event_timeout_seconds: null, verify: [], result_schema: null };

describe('the idle timeout and the verification of a subtask', () => {
  it('are passed to the worker that claims it, and are shown', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const subtasks = [
      { key: 'a', goal: 'x', ...given },
      { key: 'b', goal: 'x' },
    ];
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks } });

    const [a, b] = (await worker.claim(2)).toSorted((one, other) => one.key.localeCompare(other.key));

    expect(a).toMatchObject(given);
    expect(b).toMatchObject(none);
    expect(await backend.admin.ok.getSubtask({ params: { subtask_id: b?.subtask_id ?? '' } })).toMatchObject(none);
  });

  it.each([
    [{ result_schema: { type: 'object', requierd: ['n'] } }, 'body.subtasks.0.result_schema.requierd'],
    [{ result_schema: { properties: { n: { type: 'int' } } } }, 'body.subtasks.0.result_schema.properties.n.type'],
    [{ result_schema: { $ref: '#/$defs/x' } }, 'body.subtasks.0.result_schema.$ref'],
    [{ verify: ['npm test'] }, 'body.subtasks.0.verify.0'],
    [{ verify: [[]] }, 'body.subtasks.0.verify.0'],
  ])('is refused with its place where it is wrong: %j', async (wrong, place) => {
    const backend = await backendForTest();

    const answer = await backend.admin.submitTask({ body: { goal: 'x', subtasks: [{ key: 'a', goal: 'x', ...wrong }] } as never });

    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ path: expect.stringContaining(place) }] } });
  });
});
