import type { Json } from '../../schema/json.ts';
import type { AdapterHost, AgentAdapter, Job, Outcome } from '../../worker-agent/src/tools/adapter.ts';

type Work = (host: AdapterHost, job: Job) => unknown;

/** An adapter that does what the test does. */
export const adapterThat = (work: Work): AgentAdapter => ({
  id: 'scripted',
  probe: async () => [],
  start: (job, host) => {
    const turn = async (): Promise<Outcome> => ({ ended: 'end_turn', result: ((await work(host, job)) ?? null) as Json });
    return { done: turn() };
  },
});
