import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../../schema/errors.ts';
import type { Route } from '../../../schema/route.ts';
import { allRoutes } from '../../../schema/routes.ts';
import { fingerprint } from './support/contents.ts';
import { undocumented } from './support/document.ts';
import { FIELD_NAMES, fieldsOfOperation, fieldsOfSample } from './support/fields.ts';
import { type Mutation, mutationsOf } from './support/mutations.ts';
import { firstOf, requestOf, type Sample, type Variant, variantsOf } from './support/samples.ts';
import { createWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const named = allRoutes.map((route) => [route.name, route] as const);
const variants = allRoutes.flatMap((route) => variantsOf(route.name).map((it) => [`${route.name} (${it.variant})`, route, it] as const));

const touches = (place: string, path: string) => path.startsWith(place) || place.startsWith(path);

/** What is wrong with the answer to a mutated request; null when it is as it should be. */
const judge = async (route: Route, { place, sample, isWrong }: Mutation): Promise<{ status: number; fault: string | null }> => {
  const reply = await world.backend.send(requestOf(route, sample));
  const { status } = reply;
  if (status < 300) return { status, fault: isWrong ? 'was accepted' : null };
  const { code, errors } = reply.body as Problem;
  const isPlaced = code !== 'invalid_request' || errors.some((error) => touches(place, error.path));
  return { status, fault: isPlaced ? undocumented(route, reply) : `is told at ${errors[0]?.path}` };
};

/** Sends every mutation; after each one that was accepted it goes on with a fresh sample. */
const sendAll = async (route: Route, { make }: Variant) => {
  const fresh = async () => ({ mutations: mutationsOf(await make(world)), before: await fingerprint(world.backend.ctx.sql) });
  const faults: string[] = [];
  let { mutations, before } = await fresh();
  let refused = 0;
  for (let at = 0; at < mutations.length; at++) {
    const mutation = mutations[at] as Mutation;
    const { status, fault } = await judge(route, mutation);
    if (fault !== null) faults.push(`${mutation.what} ${fault}`);
    if (status >= 300) refused++;
    else if (route.method !== 'GET') ({ mutations, before } = await fresh());
  }
  return { faults, refused, before, after: await fingerprint(world.backend.ctx.sql) };
};

describe('the samples', () => {
  it.each(named)('give %s everything that it can be given', async (name, route) => {
    const given = new Set<string>();
    for (const { make } of variantsOf(name)) for (const place of fieldsOfSample(await make(world))) given.add(place);

    expect(variantsOf(name).length).toBeGreaterThan(0);
    expect(fieldsOfOperation(route).filter((place) => !given.has(place))).toEqual([]);
  });
});

describe('a request with one thing changed', { timeout: 120_000 }, () => {
  it.each(variants)('to %s is refused precisely or is as good as before, and a refused one leaves nothing', async (_, route, variant) => {
    const { faults, refused, before, after } = await sendAll(route, variant);

    expect(faults).toEqual([]);
    expect(refused).toBeGreaterThan(3);
    expect(after).toEqual(before);
  });
});

const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme-composite' }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.uuid(),
);
const name = fc.oneof({ arbitrary: fc.constantFrom(...FIELD_NAMES), weight: 5 }, { arbitrary: fc.string(), weight: 1 });
const header = fc.string({ unit: 'binary-ascii', maxLength: 30 });

/** Parts of any form; those that are left out stay as they are in the sample. */
const parts = fc.record(
  {
    query: fc.dictionary(name, fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.nat().map(String)), { maxKeys: 3 }),
    body: fc.oneof(fc.dictionary(name, anything, { maxKeys: 8 }), anything),
    fields: fc.dictionary(name, anything, { minKeys: 1, maxKeys: 2 }),
    headers: fc.record({ 'idempotency-key': header, 'if-match': header, 'if-none-match': header }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
type Parts = { query?: Record<string, string>; body?: unknown; fields?: Record<string, unknown>; headers?: Record<string, string> };

const withParts = (sample: Sample, { query, body, fields, headers }: Parts): Sample => ({
  ...sample,
  ...(query ? { query } : {}),
  ...(fields ? { body: { ...(sample.body as object), ...fields } } : {}),
  ...(body === undefined ? {} : { body }),
  headers: { ...sample.headers, ...(headers as Record<string, string>) },
});

describe('a request of any form', { timeout: 120_000 }, () => {
  it.each(named)('to %s is answered by its operation or refused as documented, never by a fault of ours', async (operation, route) => {
    const sample = await firstOf(world, operation);

    await fc.assert(
      fc.asyncProperty(parts, async (given) => {
        const reply = await world.backend.send(requestOf(route, withParts(sample, given)));
        if (reply.status >= 400) expect(undocumented(route, reply)).toBeNull();
      }),
      { numRuns: 60 },
    );
  });
});
