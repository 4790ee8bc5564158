const unescaped = (word: string): string =>
  word.replace(/\\(.)|(%%)|(\$\$)|[%$]/g, (all, quoted?: string, percent?: string, dollar?: string) => {
    if (quoted === undefined && percent === undefined && dollar === undefined) throw new Error(`systemd would expand ${all} in ${word}`);
    return quoted ?? (percent ? '%' : '$');
  });

/** The words that systemd reads from ExecStart: quotes, backslashes, %% and $$ as described in its manual. */
export const execStartOf = (unit: string): string[] => {
  const [, line = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) => unescaped(word));
};
