import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/processes.ts';
import { twoMachines, whyNoNamespaces } from './support/namespaces.ts';

const MAW = 'worker-agent/bin/maw.mjs';
const BIG = 400_000;

/** The second subtask gets the result of the first, which is too large for a request. */
const spec = {
  goal: 'Carry a big result from one machine to another and back',
  subtasks: [
    { key: 'big', goal: 'make it', tool: 'exec', input: { argv: ['node', '-e', `process.stdout.write('~'.repeat(${BIG}))`] } },
    {
      key: 'count',
      goal: 'count it',
      tool: 'exec',
      dependencies: ['big'],
      input: {
        argv: [
          'node',
          '-e',
          "let n = 0; process.stdin.on('data', (it) => (n += (String(it).match(/\\x7e/g) ?? []).length)).on('end', () => console.log(n))",
        ],
      },
    },
  ],
};

const reason = whyNoNamespaces();
if (reason !== null) console.warn(`Two machines are not tested: network namespaces can't be made here (${reason}).`);

describe('two machines', () => {
  it.skipIf(reason !== null)(
    'share the work: the server on one, a worker on the other, results too big for a request between them',
    { timeout: 240_000 },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'maw-machines-'));
      await chmod(folder, 0o711);
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      const [here, there] = twoMachines();
      const url = `http://${here.address}:8080`;
      const data = join(folder, 'data');
      const server = here.start(['local/start.ts', '--data', data, '--port', '8080', '--listen', '0.0.0.0', '--public-url', url], {
        DATABASE_URL: '',
      });
      await until(`the server to be ready: ${server.output()}`, () => server.output().includes('Ctrl-C stops it.'));
      const key = (await readFile(join(data, 'admin-key'), 'utf8')).trim();
      const caller = { MAW_URL: url, MAW_API_KEY: key };
      await writeFile(join(folder, 'task.json'), JSON.stringify(spec));

      const enrolled = JSON.parse(await here.run([MAW, 'enrol', '--tools', 'exec', '--json'], caller)) as { enrolment_token: string };
      const worker = there.start(
        [MAW, 'worker', 'start', '--tools', 'exec', '--exec-allow', 'node', '--state-dir', join(folder, 'state')],
        {
          MAW_URL: url,
          MAW_ENROL_TOKEN: enrolled.enrolment_token,
        },
      );
      const watched = await here.run([MAW, 'submit', join(folder, 'task.json'), '--wait', '--json'], caller).catch((error: Error) => {
        throw new Error(`${error.message}\noutput of the worker:\n${worker.output()}`);
      });
      const task = JSON.parse(watched.trim().split('\n').at(-1) ?? '') as { task_id: string; status: string };
      const { subtasks } = JSON.parse(await here.run([MAW, 'get', task.task_id, '--json'], caller)) as {
        subtasks: { key: string; result: unknown; result_artifact_id: string | null; result_bytes: number }[];
      };

      expect(task.status).toBe('completed');
      expect(subtasks.find((it) => it.key === 'big')).toMatchObject({ result: null, result_artifact_id: expect.any(String) });
      expect(subtasks.find((it) => it.key === 'count')?.result).toBe(BIG);
      await expect(there.run(['-e', "await fetch('http://127.0.0.1:8080/')"])).rejects.toThrow('ECONNREFUSED');
    },
  );
});
