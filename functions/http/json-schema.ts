import * as z from 'zod';

export type Schema = Record<string, unknown>;

/** Removes what does not help a reader: the bounds of JavaScript integers, the patterns of formats, property names of any text. */
const tidy = ({ jsonSchema }: { jsonSchema: Schema }) => {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  if (JSON.stringify(jsonSchema.propertyNames) === '{"type":"string"}') delete jsonSchema.propertyNames;
};

const relink = (schema: Schema): Schema => JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as Schema;

/** Converts contracts to JSON Schemas; every schema with an id becomes a component that the others refer to. */
export const createSchemas = () => {
  const components: Record<string, Schema> = {};
  const keep = (name: string, schema: Schema) => {
    const known = (components[name] ??= schema);
    if (JSON.stringify(known) !== JSON.stringify(schema)) throw new Error(`two different schemas have the id ${name}`);
  };
  return {
    components,
    of: (schema: z.ZodType, io: 'input' | 'output'): Schema => {
      const made = z.toJSONSchema(schema, { io, unrepresentable: 'any', override: tidy }) as Schema & { $defs?: Record<string, Schema> };
      const { $schema: _, $defs = {}, ...root } = made;
      for (const [name, it] of Object.entries($defs)) keep(name, relink(it));
      return relink(root);
    },
  };
};
