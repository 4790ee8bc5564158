import { describe, expect, it } from 'vitest';
import { checkerOf, document, operations } from './support/document.ts';

/** Every object in a value, outermost first. */
const objectsIn = (value: unknown): Record<string, unknown>[] =>
  value === null || typeof value !== 'object'
    ? []
    : [...(Array.isArray(value) ? [] : [value as Record<string, unknown>]), ...Object.values(value).flatMap(objectsIn)];

const at = (pointer: string): unknown =>
  pointer
    .slice(2)
    .split('/')
    .reduce<unknown>((inside, name) => (inside as Record<string, unknown> | undefined)?.[name], document);

const named = operations.map((it) => [it.operation.operationId, it] as const);

describe('the document', () => {
  it('is OpenAPI 3.1 in plain JSON', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: expect.any(String), version: expect.any(String) } });
    expect(document.servers).toEqual([{ url: 'http://127.0.0.1:8080' }]);
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });

  it('contains every schema that it refers to, and no other', () => {
    const referred = new Set(objectsIn(document).flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : [])));

    expect([...referred].filter((it) => at(it) === undefined)).toEqual([]);
    expect(Object.keys(document.components.schemas).filter((name) => !referred.has(`#/components/schemas/${name}`))).toEqual([]);
  });

  it('describes each of its tags and uses no other', () => {
    expect(document.tags.filter((tag) => tag.description.length === 0)).toEqual([]);
    expect(new Set(operations.flatMap(({ operation }) => operation.tags))).toEqual(new Set(document.tags.map(({ name }) => name)));
  });

  it('has patterns that mean the same without flags', () => {
    const patterns = objectsIn(document).flatMap(({ pattern }) => (typeof pattern === 'string' ? [pattern] : []));

    expect(patterns.length).toBeGreaterThan(0);
    expect(patterns.filter((it) => /\\[pP]\{|\(\?[<a-z]/.test(it))).toEqual([]);
  });
});

describe('the operation', () => {
  it.each(named)('%s describes who may call it, and names each parameter once', (_, { operation, path }) => {
    const { security, parameters, summary } = operation;
    const schemes = security.flatMap((it) => Object.keys(it));

    expect(summary).toMatch(/^[A-Z].+[^.]$/);
    expect(schemes.filter((it) => !(it in document.components.securitySchemes))).toEqual([]);
    expect(parameters.filter((it) => it.in === 'path').map((it) => it.name)).toEqual(
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
    );
    expect(new Set(parameters.map((it) => `${it.in} ${it.name}`)).size).toBe(parameters.length);
  });

  it.each(named)('%s describes one success and every refusal, by valid schemas', (_, { operation }) => {
    const responses = Object.entries(operation.responses);
    const contents = [...responses.map(([, it]) => it.content), operation.requestBody?.content].flatMap((it) => Object.values(it ?? {}));

    expect(responses.filter(([status]) => status.startsWith('2'))).toHaveLength(1);
    expect(responses.filter(([, { description }]) => description === '')).toEqual([]);
    expect(responses.map(([status]) => Number(status))).toEqual(expect.arrayContaining([400, 404, 405, 500, 503]));
    for (const { schema } of contents) expect(() => checkerOf(schema)).not.toThrow();
  });

  it('submitTask has an example, and no operation has one that it refuses', () => {
    const shown = named.flatMap(([name, { operation }]) =>
      Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema, example }) => (example ? [{ name, schema, example }] : [])),
    );

    expect(shown.map(({ name }) => name)).toContain('submitTask');
    expect(shown.filter(({ schema, example }) => !checkerOf(schema).safeParse(example).success)).toEqual([]);
  });
});
