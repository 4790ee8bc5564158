import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Claimed } from '../../../schema/attempt.ts';
import type { Json } from '../../../schema/json.ts';
import type { AgentAdapter, AgentEvent } from '../../../worker-agent/src/tools/adapter.ts';
import { agentForTest, folderForTest, holds, until } from './agent.ts';
import { startPlatform } from './fake-platform.ts';
import { hostileTexts } from './hostile.ts';

/** An adapter, and the input of a subtask that makes it do something. */
export type Play = { adapter: AgentAdapter; input: { [key: string]: Json } };
export type Subject = {
  /** It uses tokens of a model, which it has to count. */
  isMetered: boolean;
  /** Ends with a result. */
  answers(result: Json): Promise<Play>;
  /** Ends with a failure of this class. */
  fails: { class: string; play(): Promise<Play> };
  /** Emits an event, and works until it is stopped. If it can start processes, it starts one that ignores signals and writes `pidFile`. */
  hangs(pidFile: string): Promise<Play>;
  /** Ends with its goal, unchanged, as its result or as the `text` of its result. */
  tellsGoal(): Promise<Play>;
  /** Writes `made.txt` into its workspace; null when it writes no files. */
  writes: (() => Promise<Play>) | null;
  /** Ends with the environment of a process that it starts as its result; null if it starts none. */
  tellsEnvironment: (() => Promise<Play>) | null;
};

const SECRET = 'a-secret-of-the-worker-itself';
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Records the events of an adapter, events that are too late, and whether it is running. */
const recorded = (adapter: AgentAdapter) => {
  const events: AgentEvent[] = [];
  const late: AgentEvent[] = [];
  let isBegun = false;
  let isOver = false;
  const start: AgentAdapter['start'] = (job, host) => {
    isBegun = true;
    const emit = (event: AgentEvent) => {
      (isOver ? late : events).push(event);
      host.emit(event);
    };
    const run = adapter.start(job, { ...host, emit });
    const done = run.done.finally(() => {
      isOver = true;
    });
    return { ...run, done };
  };
  return { adapter: { ...adapter, start }, events, late, isOver: () => isOver, isRunning: () => isBegun && !isOver };
};

const begun = async ({ adapter, input }: Play, subtask: Partial<Claimed> = {}, settings: object = {}) => {
  const platform = await startPlatform();
  const record = recorded(adapter);
  const claimed = platform.add({ tool: adapter.id, input, ...subtask });
  const worker = await agentForTest(platform, { tools: [record.adapter], settings });
  const ended = () => platform.ended.get(claimed.subtask_id);
  return { platform, claimed, worker, ended, ...record };
};

const finished = async (...given: Parameters<typeof begun>) => {
  const it = await begun(...given);
  await it.worker.finish();
  return { ...it, ended: it.ended(), body: it.ended()?.body };
};

const raise = (message: string): never => {
  throw new Error(message);
};

const numbersIn = (usage: object) => Object.values(usage).filter((it) => typeof it === 'number');

/** What every adapter must do. */
export const itIsAnAdapter = (name: string, subject: Subject): void => {
  describe(`the adapter ${name}`, () => {
    it('has the id by which it is selected, and reports to doctor', async () => {
      const { adapter } = await subject.answers(1);

      expect(adapter.id).toBe(name);
      expect((await adapter.probe()).length).toBeGreaterThan(0);
    });

    it.each([[{ n: 1, list: ['x', null] }], ['a text'], [['', { deep: [[]] }]]])('ends with its result: %j', async (result) => {
      const { body, ended } = await finished(await subject.answers(result));
      expect({ kind: ended?.kind, result: body.result }).toEqual({ kind: 'completed', result });
    });

    it('fails with a class and a message that describes the problem', async () => {
      const { body, ended } = await finished(await subject.fails.play());

      expect({ kind: ended?.kind, ...body }).toMatchObject({ kind: 'failed', failure_class: subject.fails.class });
      expect(body.message).toMatch(/\w+ \w+/);
    });

    it('refuses invalid input with its outcome, not with an exception', async () => {
      const { adapter } = await subject.answers(1);
      const input = { argv: 'no list', steps: 'no list', temperature: 'hot' };
      const { body } = await finished({ adapter, input });

      expect(body).toMatchObject({ failure_class: 'invalid_result', message: expect.stringContaining('input.') });
    });

    it('emits no more events once it is done', async () => {
      const { late, isOver } = await finished(await subject.answers(1));
      await new Promise(setImmediate);
      expect({ isOver: isOver(), late }).toEqual({ isOver: true, late: [] });
    });

    it.skipIf(!subject.isMetered)('reports its usage, never less than before, or marks it as incomplete', async () => {
      for (const play of [await subject.answers(1), await subject.fails.play()]) {
        const { events, body } = await finished(play);
        const usages = events.flatMap((event) => (event.type === 'usage' ? [event.usage] : []));

        expect(usages.length).toBeGreaterThan(0);
        expect(body.usage).toEqual(usages.at(-1));
        expect(numbersIn(body.usage).length > 1 || body.usage.incomplete).toBe(true);
        for (const [at, usage] of usages.slice(1).entries())
          for (const [which, number] of numbersIn(usage).entries())
            expect(number).toBeGreaterThanOrEqual(numbersIn(usages[at] ?? {})[which] ?? 0);
      }
    });

    it.each(['given back', 'lost'])('stops when its subtask is %s, and leaves no process', async (how) => {
      const folder = await folderForTest();
      const pidFile = join(folder, 'pid');
      const { worker, platform, claimed, events, isOver, ended } = await begun(await subject.hangs(pidFile));
      const run = worker.run();
      await holds(() => events.length > 0);
      const pid =
        subject.tellsEnvironment === null ? null : await until(async () => Number(await readFile(pidFile, 'utf8')) || raise('not yet'));

      if (how === 'lost') platform.lost.add(claimed.subtask_id);
      else worker.agent.cancel('the test wants it');

      await holds(() => isOver() && worker.agent.running === 0 && (pid === null || !isAlive(pid)));
      if (how === 'lost') worker.agent.drain('the test wants it');
      await run;
      expect(ended()?.kind).toBe(how === 'lost' ? undefined : 'released');
    });

    it('stops when its time is over', async () => {
      const folder = await folderForTest();
      const { body, isRunning } = await finished(await subject.hangs(join(folder, 'pid')), { timeout_seconds: 1 });
      expect(body.failure_class).toBe('timed_out');
      await holds(() => !isRunning());
    });

    it('does not block its worker while it works', async () => {
      const folder = await folderForTest();
      const { worker, platform, events } = await begun(await subject.hangs(join(folder, 'pid')));
      void worker.run();
      await holds(() => events.length > 0);

      const beats = platform.of('heartbeat').length;
      await holds(() => platform.of('heartbeat').length > beats + 2);
    });

    it('passes on a goal unchanged, whatever it contains', { timeout: 120_000 }, async () => {
      for (const text of hostileTexts('/canary').filter((_, at) => at % 20 === 0)) {
        const goal = `:${text}:`;
        const { body } = await finished(await subject.tellsGoal(), { goal });
        expect(body.result.text ?? body.result).toBe(goal);
      }
    });

    it.skipIf(subject.writes === null)('writes into its workspace and nowhere else', async () => {
      const before = await readdir(process.cwd());
      const { worker, ended } = await finished((await subject.writes?.()) as Play, {}, { keepWorkspaces: true });

      expect(ended?.kind).toBe('completed');
      const made = (await readdir(worker.stateDir, { recursive: true })).filter((it) => it.endsWith('made.txt'));
      expect(made).toEqual([expect.stringMatching(/work.made\.txt$/)]);
      expect((await stat(join(worker.stateDir, made[0] ?? ''))).isFile()).toBe(true);
      expect(await readdir(process.cwd())).toEqual(before);
    });

    it.skipIf(subject.tellsEnvironment === null)('hides the secrets of the worker from the processes it starts', async () => {
      process.env.MAW_API_KEY = SECRET;
      process.env.SOME_TOKEN = SECRET;
      onTestFinished(() => {
        delete process.env.MAW_API_KEY;
        delete process.env.SOME_TOKEN;
      });
      const { body, platform, claimed } = await finished((await subject.tellsEnvironment?.()) as Play);

      const output = JSON.stringify(body.result);
      expect(output).toContain('MAW_SUBTASK_ID');
      for (const secret of [SECRET, platform.worker.credential, claimed.lease_token]) expect(output).not.toContain(secret);
    });

    it('keeps two simultaneous jobs apart', async () => {
      const [one, two] = await Promise.all([finished(await subject.answers('one')), finished(await subject.answers('two'))]);
      expect([one.body.result, two.body.result]).toEqual(['one', 'two']);
    });
  });
};
