import { describe, expect, it } from 'vitest';
import type { Claimed } from '../../../schema/attempt.ts';
import { SubtaskSpec } from '../../../schema/task.ts';
import { backendForTest } from '../../support/backend.ts';
import { enrol } from '../../support/worker.ts';

/** A value for each field that differs from its default. */
const SAMPLE = {
  key: 'child',
  goal: 'Add them up',
  tool: 'exec',
  input: { numbers: [1, 2] },
  dependencies: ['parent'],
  labels: { gpu: 'yes' },
  timeout_seconds: 61,
  idle_timeout_seconds: 62,
  first_event_timeout_seconds: 63,
  verify: [['npm', 'test']],
  result_schema: { type: 'integer' },
  retry: { max_attempts: 7, max_infra_attempts: 8, on: ['auth'], base_ms: 9, max_ms: 10 },
} satisfies SubtaskSpec;

/** Decided by the platform; a worker gets the outputs of the dependencies as `inputs`. */
const NOT_FOR_WORKERS: string[] = ['dependencies', 'retry'];

const claimSample = async () => {
  const backend = await backendForTest();
  const worker = await enrol(backend, { labels: SAMPLE.labels, tools: ['scripted', SAMPLE.tool] });
  await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: [{ key: 'parent', goal: 'x' }, SAMPLE] } });
  const [parent] = (await worker.claim()) as [Claimed];
  await worker.complete(parent, 1);
  const [claimed] = await worker.claim();
  return { backend, claimed };
};

describe('a field of a subtask', () => {
  it.each(Object.keys(SubtaskSpec.shape))('has a sample here that differs from its default: %s', (field) => {
    const { [field]: byDefault } = SubtaskSpec.parse({ key: 'a', goal: 'x' }) as Record<string, unknown>;

    expect(SAMPLE).toHaveProperty(field);
    expect((SAMPLE as Record<string, unknown>)[field]).not.toEqual(byDefault);
  });

  it('reaches the worker that claims it and is returned to callers, as it was submitted', async () => {
    const { backend, claimed } = await claimSample();

    const forWorkers = Object.fromEntries(Object.entries(SAMPLE).filter(([field]) => !NOT_FOR_WORKERS.includes(field)));
    const subtask = await backend.admin.ok.getSubtask({ params: { subtask_id: claimed?.subtask_id ?? '' } });

    expect(claimed).toMatchObject(forWorkers);
    expect(Object.keys(claimed?.inputs ?? {})).toEqual(SAMPLE.dependencies);
    expect(subtask).toMatchObject(SAMPLE);
  });
});
