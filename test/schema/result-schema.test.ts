import { describe, expect, it } from 'vitest';
import type { Json } from '../../schema/json.ts';
import { resultFaults, ResultSchema } from '../../schema/result-schema.ts';
import { SubtaskSpec } from '../../schema/task.ts';

const faults = (schema: unknown, value: Json) => resultFaults(ResultSchema.parse(schema), value);
const ofA = (a: unknown) => ({ type: 'object', properties: { a } });

describe('the schema of a result', () => {
  it.each<[string, unknown, Json[], Json[]]>([
    ['type', { type: 'integer' }, [1, -2, 1.0], [1.5, '1', null, [], {}]],
    ['several types', { type: ['string', 'null'] }, ['x', null], [1, {}]],
    ['every type', { type: ['boolean', 'array'] }, [true, []], [0, {}, null]],
    ['enum', { enum: ['a', 1, null] }, ['a', 1, null], ['1', 'b', {}]],
    ['enum beside other keywords', { enum: ['a', 'abc'], minLength: 2 }, ['abc'], ['a', 'ab']],
    ['const', { const: 'yes' }, ['yes'], ['no', null]],
    ['const null', { const: null }, [null], [0]],
    ['properties without a type', { properties: { a: { type: 'string' } } }, [{ a: 'x' }, {}, 'text'], [{ a: 1 }]],
    ['required', { required: ['a', 'toString'] }, [{ a: 1, toString: 1 }], [{ a: 1 }, { toString: 1 }, {}]],
    ['required beside a default', { ...ofA({ default: 1 }), required: ['a'] }, [{ a: null }], [{}]],
    ['additionalProperties: false', { ...ofA({}), additionalProperties: false }, [{ a: 1 }, {}], [{ b: 1 }, { a: 1, b: 1 }]],
    ['additionalProperties', { additionalProperties: { type: 'number' } }, [{ b: 1 }], [{ b: 'x' }]],
    ['numbers of properties', { minProperties: 1, maxProperties: 2 }, [{ a: 1 }], [{}, { a: 1, b: 2, c: 3 }]],
    ['items', { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 2 }, [['a']], [[], [1], ['a', 'b', 'c']]],
    ['lengths in characters', { minLength: 2, maxLength: 2 }, ['ab', '😀😀', 5], ['a', 'abc', '😀']],
    ['bounds', { minimum: 1, exclusiveMaximum: 3 }, [1, 2.9], [0, 3]],
    ['bounds, the others', { exclusiveMinimum: 1, maximum: 3 }, [3], [1, 4]],
    ['format', { format: 'date' }, ['2024-02-29', 7], ['2023-02-29', 'soon']],
    ['anyOf', { anyOf: [{ type: 'string' }, { type: 'number' }] }, ['x', 1], [null]],
    ['oneOf', { oneOf: [{ minimum: 1 }, { maximum: 5 }] }, [0, 6], [3]],
    ['allOf', { allOf: [{ required: ['a'] }, { required: ['b'] }] }, [{ a: 1, b: 1 }], [{ a: 1 }, { b: 1 }]],
    ['true and false', ofA(false), [{}], [{ a: 1 }]],
    ['a reference', { $ref: '#/$defs/n', $defs: { n: { type: 'number' } } }, [1], ['x']],
    ['a tree', { ...ofA({ $ref: '#' }), required: ['n'] }, [{ n: 1, a: { n: 2 } }], [{ n: 1, a: {} }]],
  ])('checks %s', (_, schema, good, bad) => {
    for (const value of good) expect([value, faults(schema, value)]).toEqual([value, []]);
    for (const value of bad) expect([value, faults(schema, value).length > 0]).toEqual([value, true]);
  });

  it('reports where a result is wrong, and why', () => {
    const schema = { ...ofA({ type: 'array', items: { type: 'integer', minimum: 1 } }), required: ['b'], additionalProperties: false };

    expect(faults(schema, { a: [1, 0, 'x'], c: 1 })).toEqual([
      'result.b: is missing',
      'result.a.1: must be at least 1',
      'result.a.2: must be integer, not string',
      'result.c: is not a property of the schema',
    ]);
  });

  it.each<[unknown, string]>([
    [{ type: 'text' }, 'type'],
    [{ properties: { a: { requird: [] } } }, 'requird'],
    [{ pattern: '(a+)+$' }, 'pattern'],
    [{ required: 'a' }, 'required'],
    [{ items: [{ type: 'string' }] }, 'items'],
    [{ $ref: '#/$defs/x' }, 'top-level $defs; there is no #/$defs/x'],
    [{ $ref: 'https://example.com/schema' }, '$ref'],
    [{ minLength: -1 }, 'minLength'],
    [[], 'object'],
    ['string', 'object'],
  ])('refuses a schema that it cannot check: %j', (schema, named) => {
    const parsed = ResultSchema.safeParse(schema);

    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(named);
  });

  it('gets the messages of its faults from the parse of its subtask, unless it has its own', () => {
    const wordsOf = (result_schema: unknown) =>
      SubtaskSpec.safeParse(
        { key: 'a', goal: 'x', result_schema },
        { error: ({ code, input }) => `${code} of ${JSON.stringify(input)}` },
      ).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

    expect(wordsOf({ items: { minLength: -1 } })).toEqual(['result_schema.items.minLength: too_small of -1']);
    expect(wordsOf({ $ref: '#/$defs/x' })).toEqual([
      'result_schema.$ref: must be # or an entry of the top-level $defs; there is no #/$defs/x',
    ]);
  });

  it('gives up on schemas that would take too long, or that never end', () => {
    const doubling = Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [
        `n${at}`,
        at === 39 ? {} : { allOf: [{ $ref: `#/$defs/n${at + 1}` }, { $ref: `#/$defs/n${at + 1}` }] },
      ]),
    );

    expect(faults({ $ref: '#/$defs/n0', $defs: doubling }, 1)).toEqual([expect.stringContaining('too long')]);
    expect(faults({ $ref: '#' }, 1)).toEqual([expect.stringContaining('too long')]);
  });

  it('shows a few faults of many', () => {
    expect(
      faults(
        { items: { type: 'string' } },
        Array.from({ length: 300_000 }, () => 1),
      ),
    ).toHaveLength(10);
  });
});
