import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../../../schema/errors.ts';
import type { Route } from '../../../schema/route.ts';
import { allRoutes } from '../../../schema/routes.ts';
import { fingerprint } from './support/contents.ts';
import { undocumented } from './support/document.ts';
import { FIELD_NAMES, fieldsOfOperation, fieldsOfSample } from './support/fields.ts';
import { MALFORMED } from './support/malformed.ts';
import { type Mutation, mutationsOf } from './support/mutations.ts';
import { firstOf, isServed, requestOf, type Sample, type Variant, variantsOf } from './support/samples.ts';
import { createWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const named = allRoutes.map((route) => [route.name, route] as const);
const variants = allRoutes.flatMap((route) => variantsOf(route.name).map((it) => [`${route.name} (${it.variant})`, route, it] as const));

const touches = (place: string, path: string) => path.startsWith(place) || place.startsWith(path);

/** Workers may be newer than the platform: their unknown fields are ignored. */
const isTolerant = ({ access }: Route) => access === 'worker' || access === 'enrolment';

/** What is wrong with the response to a mutated request; null if it is correct. */
const judge = async (
  route: Route,
  { place, sample, isWrong, isUnknownField = false }: Mutation,
): Promise<{ accepted: boolean; fault: string | null }> => {
  const reply = await world.backend.send(requestOf(route, sample));
  const accepted = reply.status < 300;
  if (accepted) return { accepted, fault: isWrong && !(isUnknownField && isTolerant(route)) ? 'was accepted' : null };
  if (isUnknownField && isTolerant(route)) return { accepted, fault: 'was refused' };
  const { code, errors } = reply.body as Problem;
  const isPlaced = code !== 'invalid_request' || errors.some((error) => touches(place, error.path));
  return { accepted, fault: isPlaced ? undocumented(route, reply) : `is reported at ${errors[0]?.path}` };
};

/** Sends every mutation, with a new sample after each accepted one; returns the faults and the refused mutations. */
const sendAll = async (route: Route, { make }: Variant) => {
  const faults: string[] = [];
  const refused: number[] = [];
  let mutations = mutationsOf(await make(world));
  for (let at = 0; at < mutations.length; at++) {
    const mutation = mutations[at] as Mutation;
    const { accepted, fault } = await judge(route, mutation);
    if (fault !== null) faults.push(`${mutation.what} ${fault}`);
    if (!accepted) refused.push(at);
    else if (route.method !== 'GET') mutations = mutationsOf(await make(world));
  }
  return { faults, refused };
};

/** Sends the mutations at these places again, on one sample; returns those that were accepted now. */
const resend = async (route: Route, { make }: Variant, refused: readonly number[]) => {
  const mutations = mutationsOf(await make(world));
  const before = await fingerprint(world.backend.ctx.sql);
  const accepted: string[] = [];
  for (const at of refused) {
    const mutation = mutations[at] as Mutation;
    if ((await judge(route, mutation)).accepted) accepted.push(mutation.what);
  }
  return { accepted, before, after: await fingerprint(world.backend.ctx.sql) };
};

describe('the samples', () => {
  it.each(named)('set every field of %s', async (name, route) => {
    const given = new Set<string>();
    for (const { make } of variantsOf(name)) for (const place of fieldsOfSample(await make(world))) given.add(place);

    expect(variantsOf(name).length).toBeGreaterThan(0);
    expect(fieldsOfOperation(route).filter(({ path }) => !given.has(path))).toEqual([]);
  });
});

describe('a request with one thing changed', { timeout: 120_000 }, () => {
  it.each(variants)(
    'to %s is refused with the exact place or works as before, and a refused one has no effect',
    async (_, route, variant) => {
      const { faults, refused } = await sendAll(route, variant);
      expect(faults).toEqual([]);
      expect(refused.length).toBeGreaterThan(3);

      const { accepted, before, after } = await resend(route, variant, refused);
      expect(accepted).toEqual([]);
      expect(after).toEqual(before);
    },
  );
});

describe('a request that is malformed as a whole', () => {
  it.each(named)('to %s is refused with the code for it, and has no effect', async (operation, route) => {
    const request = requestOf(route, await firstOf(world, operation));
    const kinds = MALFORMED.filter((it) => it.isFor(route));
    const before = await fingerprint(world.backend.ctx.sql);

    for (const { what, spoil, answer, place } of kinds) {
      const reply = await world.backend.send(spoil(request));
      const { code, errors } = reply.body as Problem;
      expect([what, undocumented(route, reply), reply.status, code, errors[0]?.path ?? '']).toEqual([what, null, ...answer, place]);
    }

    expect(kinds.length).toBeGreaterThan(0);
    expect(await fingerprint(world.backend.ctx.sql)).toEqual(before);
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

/** Parts of any form; omitted ones stay as in the sample. */
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
  it.for(named)(
    'to %s is answered by its operation or refused as documented, never by a fault of ours',
    async ([operation, route], { skip }) => {
      skip(!isServed(operation), 'there is no push without Redis');
      const sample = await firstOf(world, operation);

      await fc.assert(
        fc.asyncProperty(parts, async (given) => {
          const reply = await world.backend.send(requestOf(route, withParts(sample, given)));
          if (reply.status >= 400) expect(undocumented(route, reply)).toBeNull();
        }),
        { numRuns: 60 },
      );
    },
  );
});
