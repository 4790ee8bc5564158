import type { Json } from '../../schema/json.ts';
import type { AdapterHost, AgentAdapter, Job, Outcome } from '../../worker-agent/src/tools/adapter.ts';

type Work = (host: AdapterHost, job: Job) => unknown;

/** An adapter that runs a function of the test. */
export const adapterThat = (work: Work): AgentAdapter => ({
  id: 'scripted',
  probe: async () => [],
  start: (job, host) => {
    const turn = async (): Promise<Outcome> => ({ ended: 'end_turn', result: ((await work(host, job)) ?? null) as Json });
    return { done: turn() };
  },
});

/** An agent with scripted outcomes: the first is for its job, each further one for a message sent to it. `sent` records the messages. */
export const agentThatEnds = (...outcomes: Outcome[]): { adapter: AgentAdapter; sent: string[] } => {
  const sent: string[] = [];
  const next = async (): Promise<Outcome> => outcomes.shift() ?? Promise.reject(new Error('there are no more turns'));
  const send = (message: string) => {
    sent.push(message);
    return next();
  };
  return { adapter: { id: 'scripted', probe: async () => [], start: () => ({ done: next(), send }) }, sent };
};
