type Value = string | number | boolean | Value[] | { [key: string]: Value };

const unescaped = (text: string): string => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** The content of an XML property list. Throws if a tag is not closed or unknown. */
export const readPlist = (text: string): Record<string, Value> => {
  const tokens = [...text.replace(/^[\s\S]*<plist version="1.0">/, '').matchAll(/<(\/?)(\w+)(\/?)>|([^<]+)/g)];
  let at = 0;
  const next = () => tokens[at++] ?? [];
  const skip = () => {
    while (tokens[at]?.[4] !== undefined) at++;
  };
  const close = (tag: string) => {
    const [, slash, name] = next();
    if (slash !== '/' || name !== tag) throw new Error(`</${tag}> is missing`);
  };
  const textOf = (tag: string): string => {
    const content = tokens[at]?.[4] === undefined ? '' : (next()[4] ?? '');
    close(tag);
    return unescaped(content);
  };
  const until = (tag: string, each: () => void) => {
    for (skip(); tokens[at]?.[1] !== '/'; skip()) each();
    close(tag);
  };
  const value = (): Value => {
    skip();
    const [, , tag = ''] = next();
    if (tag === 'string') return textOf(tag);
    if (tag === 'integer') return Number(textOf(tag));
    if (tag === 'true' || tag === 'false') return tag === 'true';
    if (tag === 'array') {
      const items: Value[] = [];
      until(tag, () => items.push(value()));
      return items;
    }
    if (tag !== 'dict') throw new Error(`<${tag}> is not known`);
    const entries: [string, Value][] = [];
    until(tag, () => {
      next();
      entries.push([textOf('key'), value()]);
    });
    return Object.fromEntries(entries);
  };
  return value() as Record<string, Value>;
};
