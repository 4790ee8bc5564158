import { describe, expect, it, onTestFinished } from 'vitest';
import { type Notice, watchNotices } from '../../../worker-agent/src/agent/termination-notices.ts';
import { serve } from '../../support/http-server.ts';
import { holds } from '../support/agent.ts';

const TOKEN = 'a-token-of-the-machine';

/** EC2's metadata service: answers those alone who have got a token, and knows a path when it has something to say. */
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

describe('notices that the machine is to be taken away', () => {
  it('are told once each, when they come', async () => {
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

  it('come from the group of the machine when it is to take it away, and not before', async () => {
    const { url, texts, asked } = await metadata();
    const notices = watched(url);
    await holds(() => asked() > 6);
    const before = [...notices];

    texts.set('autoscaling/target-lifecycle-state', 'Terminated');

    await holds(() => notices.length === 1);
    expect([before, notices]).toEqual([[], [{ reason: 'the group takes the machine away', leftMs: null }]]);
  });

  it('are waited for while the service does not answer', async () => {
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
