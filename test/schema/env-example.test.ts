import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv as parseFile } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadEnvFile } from '../../local/env-file.ts';
import { Env, StandaloneEnv, parseEnv } from '../../schema/env.ts';
import { envExample } from '../../schema/env-example.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAMES = [...Object.keys(StandaloneEnv.shape), ...Object.keys(Env.shape)];
/** Set by the system. */
const FOREIGN = ['PATH'];

describe('.env.example', () => {
  it('is what schema/env.ts says; npm run env:example makes it again', async () => {
    expect(await readFile(join(ROOT, '.env.example'), 'utf8')).toBe(envExample());
  });

  it('has every variable, with a value that is right', () => {
    const values = parseFile(envExample().replaceAll(/^# (?=[A-Z_]+=)/gm, ''));

    expect(Object.keys(values).toSorted()).toEqual(NAMES.toSorted());
    expect(() => StandaloneEnv.parse(values)).not.toThrow();
    expect(() => parseEnv({ ...values, SECRET_KEY: 's'.repeat(32), UPSTASH_REDIS_REST_TOKEN: 'token' })).not.toThrow();
  });

  it('sets nothing where it is copied as it is', () => {
    expect(parseFile(envExample())).toEqual({});
  });

  it('leaves out no variable that the backend or this machine reads', async () => {
    const files = globSync('{functions,local}/**/*.ts', { cwd: ROOT });
    const texts = await Promise.all(files.map((file) => readFile(join(ROOT, file), 'utf8')));

    const read = texts.flatMap((text) => Array.from(text.matchAll(/\benv\??\.([A-Z_]+)\b/g), ([, name]) => name));

    expect(read).toContain('REDIS_URL');
    expect(read.filter((name = '') => ![...NAMES, ...FOREIGN].includes(name))).toEqual([]);
  });
});

describe('the file .env', () => {
  it('adds to the environment what is not set there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'maw-env-'));
    process.env.MAW_TEST_SET = '';
    onTestFinished(async () => {
      delete process.env.MAW_TEST_SET;
      delete process.env.MAW_TEST_NEW;
      await rm(folder, { recursive: true });
    });
    await writeFile(join(folder, '.env'), '# a comment\nMAW_TEST_SET=file\nMAW_TEST_NEW=file\n');

    loadEnvFile(join(folder, '.env'));
    loadEnvFile(join(folder, 'missing'));

    expect([process.env.MAW_TEST_SET, process.env.MAW_TEST_NEW]).toEqual(['', 'file']);
  });
});
