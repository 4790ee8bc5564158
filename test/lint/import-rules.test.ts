import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
let folder = '';
/** What the linter reports of all the files. */
let reported: string[] = [];

/** A file of one folder with one import, and whether the rules let it. */
const CASES: [file: string, imported: string, allowed: boolean][] = [
  ['schema/a.ts', 'zod', true],
  ['schema/a.ts', 'postgres', false],
  ['schema/routes/a.ts', '../../functions/domain/x.ts', false],
  ['functions/domain/tasks/a.ts', '../../../schema/x.ts', true],
  ['functions/domain/tasks/a.ts', '../../platform/x.ts', false],
  ['functions/domain/tasks/a.ts', '../../http/x.ts', false],
  ['functions/domain/a.ts', '@aws-sdk/client-sqs', false],
  ['functions/http/a.ts', '../domain/x.ts', true],
  ['functions/http/a.ts', '../platform/x.ts', false],
  ['functions/http/a.ts', 'postgres', false],
  ['functions/schedule/a.ts', '../platform/x.ts', false],
  ['functions/platform/a.ts', '../domain/x.ts', true],
  ['functions/platform/a.ts', '../http/x.ts', false],
  ['functions/platform/a.ts', '../../local/x.ts', false],
  ['functions/platform/a.ts', '@upstash/redis', true],
  ['functions/platform/a.ts', 'postgres', true],
  ['functions/platform/a.ts', 'pg', false],
  ['functions/platform/a.ts', 'ioredis', false],
  ['functions/domain/a.ts', '@upstash/redis', false],
  ['functions/a.lambda.ts', '../local/x.ts', false],
  ['functions/a.lambda.ts', './platform/x.ts', true],
  ['local/a.ts', '../functions/http/x.ts', true],
  ['local/a.ts', '../worker-agent/src/x.ts', false],
  ['local/redis/a.ts', 'ioredis', true],
  ['local/redis/a.ts', '@upstash/redis', false],
  ['local/a.ts', 'ws', true],
  ['local/a.ts', 'fauxqs', true],
  ['local/a.ts', '@aws-sdk/client-sqs', true],
  ['local/a.ts', '@aws-sdk/client-s3', false],
  ['worker-agent/src/tools/a.ts', '../../../schema/x.ts', true],
  ['worker-agent/src/tools/a.ts', '../../../functions/domain/x.ts', false],
  ['worker-agent/src/a.ts', 'postgres', false],
  ['infra/a.ts', 'aws-cdk-lib', true],
  ['infra/a.ts', '../functions/domain/x.ts', false],
  ['infra/a.ts', '../functions/platform/postgres/repair.ts', false],
  ['bench/a.ts', 'aws-cdk-lib', false],
  ['schema/client/a.ts', '../x.ts', true],
  ['schema/client/a.ts', '../../functions/domain/x.ts', false],
  ['schema/a.ts', './client/x.ts', false],
  ['schema/routes/a.ts', '../client/x.ts', false],
  ['bench/a.ts', '../test/support/x.ts', false],
  ['deploy/a.ts', '../bench/support/x.ts', true],
  ['deploy/a.ts', '../test/support/x.ts', false],
  ['scripts/a.ts', '../test/support/x.ts', false],
];

const nameOf = (file: string, at: number) => file.replace(/\ba\b/, `case${at}`);

const lint = () => {
  const { stdout } = spawnSync(join(ROOT, 'node_modules/.bin/oxlint'), ['--type-aware', '--format=unix'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return stdout.split('\n');
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'maw-lint-'));
  cpSync(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  cpSync(join(ROOT, 'tsconfig.json'), join(folder, 'tsconfig.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  for (const [at, [file, imported]] of CASES.entries()) write(nameOf(file, at), `export * from '${imported}';\n`);
  write('schema/floating.ts', 'const work = async () => 1;\nexport const start = () => {\n  work();\n};\n');
  write('schema/round.ts', "import { b } from './trip.ts';\nexport const a = () => b;\n");
  write('functions/domain/even.ts', "import type { Odd } from './odd.ts';\nexport type Even = Odd | null;\n");
  write('functions/domain/odd.ts', "import type { Even } from './even.ts';\nexport type Odd = Even | 1;\n");
  write('schema/trip.ts', "import { a } from './round.ts';\nexport const b = () => a;\n");
  reported = lint();
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the linter', () => {
  it('lets through what may be imported and refuses what may not, folder by folder', () => {
    const refused = reported.filter((line) => line.includes('no-restricted-imports'));

    for (const [at, [file, imported, allowed]] of CASES.entries()) {
      const name = nameOf(file, at);
      expect(`${name} imports ${imported}: ${refused.some((line) => line.includes(name)) ? 'refused' : 'allowed'}`).toBe(
        `${name} imports ${imported}: ${allowed ? 'allowed' : 'refused'}`,
      );
    }
  });

  it('refuses a promise that nobody waits for, and a circle of imports', () => {
    expect(reported.some((line) => line.includes('floating.ts') && line.includes('no-floating-promises'))).toBe(true);
    expect(reported.some((line) => line.includes('no-cycle'))).toBe(true);
  });

  it('refuses a circle of imports that are of types only', () => {
    expect(lint().some((line) => line.includes('even.ts') && line.includes('no-cycle'))).toBe(true);
  });
});
