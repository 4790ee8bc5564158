import { definitionOf } from './settings.ts';
import { UsageError } from '../terminal/command-error.ts';

/**
 * The address of a platform with an enrolment token as its fragment, which no client sends and so no server logs:
 * `http://platform:8080/#mae_…`.
 */
export const joinUrl = (url: string, token: string): string => `${url}/#${token}`;

const parse = (key: 'url' | 'enrol_token', raw: string): string => {
  const parsed = definitionOf(key).schema.safeParse(raw);
  if (parsed.success) return parsed.data as string;
  const shown = key === 'url' ? raw : 'what follows # in it';
  throw new UsageError(`${shown} ${parsed.error.issues[0]?.message}`, 'paste the line that maw enrol printed, as a whole');
};

/** Platform and token out of what `joinUrl` made; without a token where there is none in it. */
export const readJoinUrl = (text: string): { url: string; token: string | undefined } => {
  const at = text.indexOf('#');
  const token = at < 0 ? '' : text.slice(at + 1);
  return { url: parse('url', at < 0 ? text : text.slice(0, at)), token: token === '' ? undefined : parse('enrol_token', token) };
};
