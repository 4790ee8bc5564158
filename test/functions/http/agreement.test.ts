import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../../functions/http/api.ts';
import { type CallOptions, createClient } from '../../../schema/client/client.ts';
import type { Problem } from '../../../schema/errors.ts';
import { allRoutes, ROUTES } from '../../../schema/routes.ts';
import { checkerOf, operationOf, operations, unlisted } from './support/document.ts';
import { fieldsOfOperation } from './support/fields.ts';
import { mutationsOf } from './support/mutations.ts';
import type { Reply } from '../../support/backend.ts';
import { firstOf, isServed, requestOf, variantsOf } from './support/samples.ts';
import { clientOf } from './support/wire.ts';
import { createWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const names = Object.keys(ROUTES).toSorted();
const named = allRoutes.map((route) => [route.name, route] as const);
const variants = allRoutes.flatMap((route) => variantsOf(route.name).map((it) => [`${route.name} (${it.variant})`, route, it] as const));
const withBody = allRoutes.flatMap((route) => (route.body ? [[route.name, route, route.body] as const] : []));

type Call = (input: object, options: CallOptions) => Promise<unknown>;

describe('the operations', () => {
  it('are the same for contracts, handlers, client and document, each at its own path', () => {
    expect(allRoutes.map((route) => route.name).toSorted()).toEqual(names);
    expect(endpoints.map(({ route }) => route.name).toSorted()).toEqual(names);
    expect(Object.keys(createClient({ url: 'http://api.test' })).toSorted()).toEqual(names);
    expect(operations.map(({ operation }) => operation.operationId).toSorted()).toEqual(names);
    expect(new Set(allRoutes.map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '{}')}`)).size).toBe(names.length);
  });

  it.each(named)('include %s at the path, with the credential and the parameters of its contract', (_, route) => {
    const { operationId, security, parameters } = operationOf(route);
    const scheme = { anyone: null, worker: 'workerCredential', enrolment: 'enrolmentToken' }[route.access as string];

    expect(operationId).toBe(route.name);
    expect(security.flatMap((it) => Object.keys(it))).toEqual(scheme === null ? [] : [scheme ?? 'apiKey']);
    expect(parameters.filter((it) => it.in === 'path' && it.required).map((it) => `{${it.name}}`)).toEqual(
      route.path.match(/\{\w+\}/g) ?? [],
    );
    expect(parameters.some((it) => it.name === 'Idempotency-Key')).toBe(route.idempotent ?? false);
    expect(parameters.some((it) => it.name.startsWith('If-'))).toBe(route.etag ?? false);
  });
});

describe('a response', () => {
  it.for(variants)('of %s reaches the client whole, and is the documented one', async ([, route, { make }], { skip }) => {
    skip(!isServed(route.name), 'there is no push without Redis');
    const { token, headers, ...input } = await make(world);
    const { client, replies } = clientOf(world.backend, token);

    const answer = await (client as unknown as Record<string, Call>)[route.name]?.(
      input,
      headers?.['if-match'] ? { ifMatch: headers['if-match'] } : {},
    );

    const [reply] = replies;
    expect(reply?.status).toBe(route.status);
    expect(reply && unlisted(route, reply)).toBeNull();
    expect(answer).toEqual(reply?.body);
  });

  it.each(named)('of %s that is a refusal is the documented problem', async (operation, route) => {
    const request = requestOf(route, await firstOf(world, operation));
    const replies = [
      await world.backend.send({ ...request, path: `${request.path.split('?')[0]}?zz_unknown=1` }),
      await world.backend.send({ ...request, token: undefined, path: `${request.path.split('?')[0]}?zz_unknown=1` }),
    ];

    expect(replies.map(({ status }) => status)).toEqual(route.access === 'anyone' ? [400, 400] : [400, 401]);
    expect(replies.map((reply) => unlisted(route, reply))).toEqual([null, null]);
  });
});

/** Whether a response reports a missing field; a version can be sent in If-Match instead. */
const isMissed = ({ body }: Reply, place: string) =>
  ((body as Problem).errors ?? []).some((it) => it.path === place && !it.message.startsWith('is required (integer) unless'));

const general = (place: string) => place.replaceAll(/\.\d+/g, '.*');

/** What only contracts refuse: an empty change, a path outside of its folder, and a schema that cannot be checked. */
const IN_WORDS: Record<string, readonly string[]> = {
  updateTask: ['an empty object at body', 'nothing at body.priority'],
  updateWorker: ['an empty object at body', 'nothing at body.mode'],
  createArtifact: ['a path at body.name'],
};

const isInWords = (operation: string, what: string) =>
  IN_WORDS[operation]?.includes(what) || / at body\.subtasks\.0\.result_schema(\.|$)/.test(what);

describe('the input', () => {
  it.each(withBody)('of %s is what the document allows, except for rules that it describes in words', async (operation, route, body) => {
    const checker = checkerOf(Object.values(operationOf(route).requestBody?.content ?? {})[0]?.schema ?? {});
    const odd: string[] = [];
    for (const { make } of variantsOf(operation)) {
      const sample = await make(world);
      for (const { what, sample: given } of [{ what: 'the sample', sample }, ...mutationsOf(sample).filter((it) => !it.isWrong)])
        if (body.safeParse(given.body).success !== checker.safeParse(given.body).success) odd.push(what);
    }

    expect(odd.filter((what) => !isInWords(operation, what))).toEqual([]);
  });

  it.each(withBody)('of %s is required if and only if the document requires it', async (operation, route) => {
    const required = new Set(fieldsOfOperation(route).flatMap(({ path, isRequired }) => (isRequired ? [path] : [])));
    for (const { make } of variantsOf(operation)) {
      const without = mutationsOf(await make(world)).filter((it) => /^nothing at .*[^.\d]+$/.test(it.what));
      const replies = await Promise.all(without.map(({ sample }) => world.backend.send(requestOf(route, sample))));
      const missed = without.filter((it, at) => isMissed(replies[at] as Reply, it.place));

      expect(missed.map((it) => general(it.place))).toEqual(without.map((it) => general(it.place)).filter((path) => required.has(path)));
    }
  });

  it.each(withBody)('of %s may be omitted if the document allows it', async (operation, route) => {
    const { body: _, ...request } = requestOf(route, await firstOf(world, operation));
    const { status } = await world.backend.send(request);
    expect(status < 300).toBe(operationOf(route).requestBody?.required === false);
  });
});
