import type { Json } from '../../../../schema/json.ts';
import { AgentFailure } from '../../attempt/agent-failure.ts';

const isObject = (value: Json): value is { [key: string]: Json } => value !== null && typeof value === 'object' && !Array.isArray(value);

const refuse = (path: string): never => {
  throw new AgentFailure('invalid_result', `sum_inputs adds up objects of numbers; ${path} is neither a number nor an object`);
};

const add = (total: { [key: string]: Json }, value: { [key: string]: Json }, path: string): void => {
  for (const [key, item] of Object.entries(value)) {
    const sum = Object.hasOwn(total, key) ? total[key] : undefined;
    if (typeof item === 'number' && (sum === undefined || typeof sum === 'number')) total[key] = (sum ?? 0) + item;
    else if (isObject(item) && (sum === undefined || isObject(sum))) {
      const nested = sum ?? {};
      add(nested, item, `${path}.${key}`);
      total[key] = nested;
    } else refuse(`${path}.${key}`);
  }
};

/** Adds up objects of numbers key by key, including nested objects such as {counts: {…}}. */
export const addUp = (inputs: Record<string, Json>): Json => {
  const total: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(inputs)) {
    if (!isObject(value)) return refuse(key);
    add(total, value, key);
  }
  return total;
};

/** A result as text: a string itself, the `text` of an object, or JSON. */
export const textOf = (value: Json): string => {
  if (typeof value === 'string') return value;
  if (isObject(value) && typeof value.text === 'string') return value.text;
  return JSON.stringify(value);
};
