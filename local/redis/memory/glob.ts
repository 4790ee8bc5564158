const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

const PARTS = /\\([\s\S])|\[(\^?)((?:\\[\s\S]|[^\]])*)\]|(\*)|(\?)|([\s\S])/gu;

const setOf = (inside: string) =>
  [...inside.matchAll(/\\([\s\S])|([\s\S])-([\s\S])|([\s\S])/gu)]
    .map(([, escaped, from, to, one]) => {
      if (from === undefined || to === undefined) return literal(escaped ?? one ?? '');
      return from <= to ? `${literal(from)}-${literal(to)}` : `${literal(to)}-${literal(from)}`;
    })
    .join('');

/** Redis compares bytes, so each byte becomes one character. */
const bytes = (text: string) => Buffer.from(text).toString('latin1');

/** Redis's patterns: * ? [abc] [^a] [a-z], and a backslash before a literal character. */
export const matcher = (pattern: string): ((text: string) => boolean) => {
  const source = [...bytes(pattern).matchAll(PARTS)].map(([, escaped, not, inside, many, one, other]) => {
    if (many) return '[\\s\\S]*';
    if (one) return '[\\s\\S]';
    if (inside !== undefined) return `[${not ?? ''}${setOf(inside)}]`;
    return literal(escaped ?? other ?? '');
  });
  const expression = new RegExp(`^${source.join('')}$`);
  return (text) => expression.test(bytes(text));
};
