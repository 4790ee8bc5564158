import * as z from 'zod';
import type { Json } from './json.ts';

const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'] as const;
const FORMATS = { 'date-time': z.iso.datetime({ offset: true }), date: z.iso.date(), email: z.email(), uri: z.url(), uuid: z.guid() };
type Type = (typeof TYPES)[number];
type Format = keyof typeof FORMATS;
type Scalar = string | number | boolean | null;

/** A JSON Schema with the keywords that are checked here; any other keyword is refused, so that none is silently ignored. */
export type ResultSchema = {
  $ref?: string | undefined;
  $defs?: Record<string, ResultSchema> | undefined;
  type?: Type | Type[] | undefined;
  enum?: Scalar[] | undefined;
  const?: Scalar | undefined;
  anyOf?: ResultSchema[] | undefined;
  oneOf?: ResultSchema[] | undefined;
  allOf?: ResultSchema[] | undefined;
  properties?: Record<string, ResultSchema> | undefined;
  required?: string[] | undefined;
  additionalProperties?: ResultSchema | undefined;
  items?: ResultSchema | undefined;
  format?: Format | undefined;
} & { [K in (typeof BOUNDS)[number]]?: number | undefined };

const COUNTS = ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'] as const;
const BOUNDS = [...COUNTS, 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const;

const Scalar = z.custom<Scalar>(
  (it) => it === null || ['string', 'number', 'boolean'].includes(typeof it),
  'must be a string, number, boolean or null',
);
const TypeName = z.enum(TYPES, `must be one of ${TYPES.join(', ')}`);
/** Replaces `true` and `false` by equivalent schemas. */
const spelledOut = (value: unknown) => (value === true ? {} : value === false ? { enum: [] } : value);
const Node: z.ZodType<ResultSchema> = z.lazy(() => z.preprocess(spelledOut, Keywords));
const Nodes = z.array(Node).min(1);
const Annotations = {
  $schema: z.string(),
  $comment: z.string(),
  title: z.string(),
  description: z.string(),
  default: z.any(),
  examples: z.any(),
};

const KEYWORDS = z
  .strictObject({
    ...Annotations,
    ...Object.fromEntries(BOUNDS.map((name) => [name, (COUNTS as readonly string[]).includes(name) ? z.int().min(0) : z.number()])),
    $ref: z.string().regex(/^#(\/\$defs\/[^/~%]+)?$/, 'must be # or #/$defs/NAME'),
    $defs: z.record(z.string(), Node),
    type: z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(TypeName).min(1)),
    enum: z.array(Scalar),
    const: Scalar,
    anyOf: Nodes,
    oneOf: Nodes,
    allOf: Nodes,
    properties: z.record(z.string(), Node),
    required: z.array(z.string()),
    additionalProperties: Node,
    items: Node,
    format: z.enum(Object.keys(FORMATS) as [Format]),
  })
  .partial();
const Keywords = KEYWORDS as unknown as z.ZodType<ResultSchema>;
export const RESULT_KEYWORDS = Object.keys(KEYWORDS.shape).filter((name) => !(name in Annotations));

const refsIn = (schema: unknown): string[] => {
  if (schema === null || typeof schema !== 'object') return [];
  const own = '$ref' in schema && typeof schema.$ref === 'string' ? [schema.$ref] : [];
  return [...own, ...Object.values(schema).flatMap(refsIn)];
};

const named = (ref: string): string => ref.slice('#/$defs/'.length);

export const ResultSchema: z.ZodType<ResultSchema> = Node.superRefine((root, context) => {
  for (const ref of refsIn(root))
    if (ref !== '#' && !Object.hasOwn(root.$defs ?? {}, named(ref)))
      context.addIssue({ code: 'custom', path: ['$ref'], message: `must be # or an entry of the top-level $defs; there is no ${ref}` });
});

// Nested alternatives could take forever: a few lines of schema make 2^30 combinations.
const MOST_STEPS = 1_000_000;
const DEEPEST = 200;
const SHOWN = 10;

type Place = { value: Json; path: string; depth: number };
type Walk = { root: ResultSchema; steps: number };
class TooMuch extends Error {}

const isObject = (value: Json): value is { [key: string]: Json } => value !== null && typeof value === 'object' && !Array.isArray(value);

const typesOf = (value: Json): Type[] => {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  if (typeof value === 'number') return Number.isInteger(value) ? ['integer', 'number'] : ['number'];
  return [typeof value as Type];
};

/** The bounds on numbers, string lengths, array items and object properties, each with its message. */
const amounts = (schema: ResultSchema, value: Json): [boolean, string][] => {
  const within = (size: number, min: number | undefined, max: number | undefined, what: string): [boolean, string][] => [
    [size < (min ?? -Infinity), `must have at least ${min} ${what}`],
    [size > (max ?? Infinity), `must have at most ${max} ${what}`],
  ];
  if (typeof value === 'string') return within([...value].length, schema.minLength, schema.maxLength, 'characters');
  if (Array.isArray(value)) return within(value.length, schema.minItems, schema.maxItems, 'items');
  if (isObject(value)) return within(Object.keys(value).length, schema.minProperties, schema.maxProperties, 'properties');
  if (typeof value !== 'number') return [];
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  return [
    [value < (minimum ?? -Infinity), `must be at least ${minimum}`],
    [value > (maximum ?? Infinity), `must be at most ${maximum}`],
    [value <= (above ?? -Infinity), `must be greater than ${above}`],
    [value >= (below ?? Infinity), `must be less than ${below}`],
  ];
};

const plainFaults = (schema: ResultSchema, value: Json): string[] => {
  const { type, format } = schema;
  const types = type === undefined ? undefined : [type].flat();
  if (types && !typesOf(value).some((it) => types.includes(it))) return [`must be ${types.join(' or ')}, not ${typesOf(value)[0]}`];
  const faults = amounts(schema, value).flatMap(([isFault, message]) => (isFault ? [message] : []));
  if (schema.enum && !schema.enum.includes(value as Scalar)) faults.push(`must be one of ${JSON.stringify(schema.enum)}`);
  if (schema.const !== undefined && schema.const !== value) faults.push(`must be ${JSON.stringify(schema.const)}`);
  if (format && typeof value === 'string' && !FORMATS[format].safeParse(value).success) faults.push(`must be a ${format}`);
  return faults;
};

const isNever = (schema: ResultSchema) => schema.enum?.length === 0;

const inObject = (walk: Walk, schema: ResultSchema, value: { [key: string]: Json }, { path, depth }: Place): string[] => {
  const faults = (schema.required ?? []).filter((key) => !Object.hasOwn(value, key)).map((key) => `${path}.${key}: is missing`);
  for (const [key, item] of Object.entries(value)) {
    if (faults.length >= SHOWN) break;
    const own = schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : schema.additionalProperties;
    const at = { value: item, path: `${path}.${key}`, depth };
    if (own) faults.push(...(isNever(own) ? [`${at.path}: is not a property of the schema`] : faultsAt(walk, own, at)));
  }
  return faults;
};

const inArray = (walk: Walk, items: ResultSchema, values: Json[], { path, depth }: Place): string[] => {
  const faults: string[] = [];
  for (const [at, value] of values.entries()) {
    if (faults.length >= SHOWN) break;
    faults.push(...faultsAt(walk, items, { value, path: `${path}.${at}`, depth }));
  }
  return faults;
};

const inChoices = (walk: Walk, schema: ResultSchema, place: Place): string[] => {
  const fits = (choices: ResultSchema[] | undefined) => choices?.filter((it) => faultsAt(walk, it, place).length === 0).length;
  const one = fits(schema.oneOf) ?? 1;
  return [
    ...(schema.allOf ?? []).flatMap((it) => faultsAt(walk, it, place)),
    ...(fits(schema.anyOf) === 0 ? [`${place.path}: matches none of the schemas in anyOf`] : []),
    ...(one === 1 ? [] : [`${place.path}: matches ${one} of the schemas in oneOf, not exactly one`]),
  ];
};

const faultsAt = (walk: Walk, schema: ResultSchema, { value, path, depth }: Place): string[] => {
  if (++walk.steps > MOST_STEPS || depth > DEEPEST) throw new TooMuch();
  const inside = { value, path, depth: depth + 1 };
  const faults = plainFaults(schema, value).map((message) => `${path}: ${message}`);
  if (schema.$ref !== undefined) {
    const target = schema.$ref === '#' ? walk.root : walk.root.$defs?.[named(schema.$ref)];
    if (target) faults.push(...faultsAt(walk, target, inside));
  }
  if (schema.items && Array.isArray(value)) faults.push(...inArray(walk, schema.items, value, inside));
  if (isObject(value)) faults.push(...inObject(walk, schema, value, inside));
  return [...faults, ...inChoices(walk, schema, inside)];
};

/** The faults of a result, each with its path; empty if the result matches the schema. */
export const resultFaults = (schema: ResultSchema, value: Json): string[] => {
  try {
    return faultsAt({ root: schema, steps: 0 }, schema, { value, path: 'result', depth: 0 }).slice(0, SHOWN);
  } catch (error) {
    if (error instanceof TooMuch) return ['result: takes too long to check against its schema'];
    throw error;
  }
};
