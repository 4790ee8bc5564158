import { definitionOf } from './settings.ts';
import { UsageError } from '../terminal/command-error.ts';

/**
 * The address of a platform with an enrolment token as its fragment. Clients do not send fragments, so no server logs the token:
 * `http://platform:8080/#mae_…`.
 */
export const joinUrl = (url: string, token: string): string => `${url}/#${token}`;

const parse = (key: 'url' | 'enrol_token', raw: string): string => {
  const parsed = definitionOf(key).schema.safeParse(raw);
  if (parsed.success) return parsed.data as string;
  const shown = key === 'url' ? raw : 'the part after #';
  throw new UsageError(`${shown} ${parsed.error.issues[0]?.message}`, 'paste the complete command that maw enrol printed');
};

/** Splits a join URL into the address of the platform and the token, if it has one. */
export const readJoinUrl = (text: string): { url: string; token: string | undefined } => {
  const at = text.indexOf('#');
  const token = at < 0 ? '' : text.slice(at + 1);
  return { url: parse('url', at < 0 ? text : text.slice(0, at)), token: token === '' ? undefined : parse('enrol_token', token) };
};
