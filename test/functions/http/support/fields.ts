import { allRoutes } from '../../../../schema/routes.ts';
import type { Route } from '../../../../schema/route.ts';
import { document, operationOf } from './document.ts';
import type { Sample } from './samples.ts';

type Schema = { $ref?: string; properties?: Record<string, Schema>; required?: string[]; items?: Schema };
type Field = { path: string; isRequired: boolean };

const components = document.components.schemas as Record<string, Schema>;
const followed = (schema: Schema): Schema => (schema.$ref ? (components[schema.$ref.split('/').at(-1) ?? ''] ?? {}) : schema);

/** All fields of a schema, with places such as body.subtasks.*.key. */
const fieldsOf = (schema: Schema, path: string): Field[] => {
  const { properties = {}, required = [], items } = followed(schema);
  const inner = Object.entries(properties).flatMap(([name, field]) => [
    { path: `${path}.${name}`, isRequired: required.includes(name) },
    ...fieldsOf(field, `${path}.${name}`),
  ]);
  return items ? [...inner, ...fieldsOf(items, `${path}.*`)] : inner;
};

/** The fields of an operation, according to its document. */
export const fieldsOfOperation = (route: Route): Field[] => {
  const { parameters, requestBody } = operationOf(route);
  const named = parameters
    .filter((it) => it.in !== 'header')
    .map((it) => ({ path: `${it.in === 'path' ? 'params' : 'query'}.${it.name}`, isRequired: it.required }));
  const [body] = Object.values(requestBody?.content ?? {});
  return [...named, ...(body ? fieldsOf(body.schema, 'body') : [])];
};

const placesIn = (value: unknown, path: string): string[] => {
  if (Array.isArray(value)) return [path, ...value.flatMap((item) => placesIn(item, `${path}.*`))];
  if (value === null || typeof value !== 'object') return [path];
  return [path, ...Object.entries(value).flatMap(([name, item]) => placesIn(item, `${path}.${name}`))];
};

/** The fields of a sample. */
export const fieldsOfSample = ({ params = {}, query = {}, body = {} }: Sample): string[] =>
  (['params', 'query', 'body'] as const).flatMap((part) => placesIn({ params, query, body }[part], part));

/** Every name of a field of any operation. */
export const FIELD_NAMES = [...new Set(allRoutes.flatMap(fieldsOfOperation).map(({ path }) => path.split('.').at(-1) ?? ''))];
