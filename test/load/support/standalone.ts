import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startStandalone } from '../../../local/standalone.ts';
import { type Client, createClient } from '../../../schema/client/client.ts';
import { createDatabase } from '../../support/backend.ts';

/** The whole platform in this process, with Redis in memory. `logged` is the list of logged errors. */
export const standaloneForLoad = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-load-'));
  const database = await createDatabase();
  const logged: string[] = [];
  const standalone = await startStandalone({
    folder,
    env: { PATH: '', DATABASE_URL: database.url },
    log: (level, event) => void (level === 'error' && logged.push(event)),
  });
  onTestFinished(async () => {
    await standalone.close();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });
  return { client: createClient({ url: standalone.url, token: standalone.adminKey }), url: standalone.url, logged };
};

type Platform = { client: Client; url: string };

const SLOTS = 50;

/** Enrols a worker that starts up to 50 subtasks. Returns a function for each that completes it. */
const startSome = async ({ client, url }: Platform) => {
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

/** Starts at least `count` subtasks. Returns a function for each that completes it. */
export const startSubtasks = async (platform: Platform, count: number) => {
  const completions: (() => Promise<unknown>)[] = [];
  while (completions.length < count) completions.push(...(await startSome(platform))); // concurrent claims would wait for each other
  return completions;
};
