import { describe, expect, it, onTestFinished } from 'vitest';
import { type Notice, watchNotices } from '../../../worker-agent/src/agent/termination-notices.ts';
import { serve } from '../../support/http-server.ts';
import { holds } from '../support/agent.ts';

const TOKEN = 'a-token-of-the-machine';

/** EC2's metadata service: requires a token, and has a path only while there is a notice. */
const metadata = async () => {
  const known = new Set<string>();
  const texts = new Map([['autoscaling/target-lifecycle-state', 'InService']]);
  const state = { isUnavailable: false, refused: 0 };
  let asked = 0;
  const { endpoint } = await serve((request, response) => {
    if (state.isUnavailable) {
      response.statusCode = 500;
      state.refused++;
    }
    const path = request.url?.replace('/latest/', '') ?? '';
    const isToken = request.method === 'PUT' && path === 'api/token' && request.headers['x-aws-ec2-metadata-token-ttl-seconds'];
    if (!isToken && request.headers['x-aws-ec2-metadata-token'] !== TOKEN) response.statusCode = 401;
    const name = path.replace('meta-data/', '');
    if (response.statusCode === 200 && !isToken && !known.has(name) && !texts.has(name)) response.statusCode = 404;
    asked += isToken ? 0 : 1;
    response.end(texts.get(name) ?? TOKEN);
  });
  return { url: endpoint, known, texts, state, asked: () => asked };
};

const watched = (url: string) => {
  const notices: Notice[] = [];
  const over = new AbortController();
  const watching = watchNotices(url, { signal: over.signal, onNotice: (it) => void notices.push(it), everyMs: 5 });
  onTestFinished(async () => {
    over.abort();
    await watching;
  });
  return notices;
};

describe('notices that the machine will be terminated', () => {
  it('are reported once each, when they arrive', async () => {
    const { url, known, asked } = await metadata();
    const notices = watched(url);
    await holds(() => asked() > 4);
    const before = [...notices];

    known.add('events/recommendations/rebalance');
    await holds(() => notices.length === 1);
    known.add('spot/instance-action');
    await holds(() => notices.length === 2);
    const later = asked();
    await holds(() => asked() > later + 4);

    expect(before).toEqual([]);
    expect(notices.map(({ leftMs }) => leftMs)).toEqual([null, expect.any(Number)]);
  });

  it('come from the Auto Scaling group when it terminates the machine, and not before', async () => {
    const { url, texts, asked } = await metadata();
    const notices = watched(url);
    await holds(() => asked() > 6);
    const before = [...notices];

    texts.set('autoscaling/target-lifecycle-state', 'Terminated');

    await holds(() => notices.length === 1);
    expect([before, notices]).toEqual([[], [{ reason: 'the Auto Scaling group terminates the machine', leftMs: null }]]);
  });

  it('are still polled after the service did not answer', async () => {
    const { url, known, state } = await metadata();
    known.add('spot/instance-action');
    state.isUnavailable = true;
    const notices = watched(url);
    await holds(() => state.refused > 1);
    const before = [...notices];

    state.isUnavailable = false;

    await holds(() => notices.length === 1);
    expect(before).toEqual([]);
  });
});
