import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startStandalone } from '../../../local/standalone.ts';
import { type Client, createClient } from '../../../schema/client/client.ts';
import { createDatabase } from '../../support/backend.ts';

/** The whole platform in this process, with a Redis in memory; `logged` names what it complained of. */
export const homeForLoad = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-load-'));
  const database = await createDatabase();
  const logged: string[] = [];
  const home = await startStandalone({
    folder,
    env: { PATH: '', DATABASE_URL: database.url },
    log: (level, event) => void (level === 'error' && logged.push(event)),
  });
  onTestFinished(async () => {
    await home.close();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });
  return { client: createClient({ url: home.url, token: home.adminKey }), url: home.url, logged };
};

type Home = { client: Client; url: string };

const SLOTS = 50;

/** A worker that has begun 50 subtasks, each of which it completes when it is told to. */
const beginSome = async ({ client, url }: Home) => {
  const { enrolment_token } = await client.createEnrolmentToken({ body: { tools: ['scripted'] } });
  const body = { name: 'w', machine_name: 'test', tools: ['scripted'], slots: SLOTS };
  const { worker, credential } = await createClient({ url, token: enrolment_token }).registerWorker({ body });
  const own = createClient({ url, token: credential });
  const params = { worker_id: worker.worker_id };
  const { claimed } = await own.claimSubtasks({ params, body: { claim_request_id: randomUUID(), limit: SLOTS, start: true } });
  return claimed.map(
    ({ subtask_id, ...fence }) =>
      () =>
        own.completeSubtask({ params: { subtask_id }, body: { lease_token: fence.lease_token, attempt: fence.attempt, result: null } }),
  );
};

export const beginWork = async (home: Home, count: number) => {
  const completions: (() => Promise<unknown>)[] = [];
  while (completions.length < count) completions.push(...(await beginSome(home))); // at once they would stand in each other's way
  return completions;
};
