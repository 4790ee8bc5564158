import { readFileSync } from 'node:fs';
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type * as z from 'zod';
import { UsageError } from '../terminal/command-error.ts';

const MAX_SHOWN = 20;

const contentOf = (file: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new UsageError(
      `${file} cannot be read: ${(cause as Error).message}`,
      'use the path of a YAML or JSON file, or a goal in quotes',
      { cause },
    );
  }
};

/** The line and column of a path in a document, or of its nearest existing ancestor. */
const positionOf = (document: Document, lines: LineCounter, path: readonly PropertyKey[]): string => {
  for (let length = path.length; length >= 0; length--) {
    const at = path.slice(0, length);
    const node = (keyNode(document, at) ?? document.getIn(at, true)) as Node | undefined;
    if (node?.range) {
      const { line, col } = lines.linePos(node.range[0]);
      return `${line}:${col}`;
    }
  }
  return '1:1';
};

const keyNode = (document: Document, path: readonly PropertyKey[]): unknown => {
  const last = path.at(-1);
  if (typeof last !== 'string') return undefined;
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  return isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last)?.key : undefined;
};

type SpecError = { path: readonly PropertyKey[]; message: string };

const errorsOf = (error: z.ZodError): SpecError[] =>
  error.issues.flatMap((issue): SpecError[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'unknown field' }))
      : [{ path: issue.path, message: issue.message }],
  );

/** Reads a YAML or JSON file (- for stdin) and checks it; each error is reported with its line, column and path. */
export const readSpec = <S extends z.ZodType>(file: string, schema: S): z.output<S> => {
  const lines = new LineCounter();
  const document = parseDocument(contentOf(file), { lineCounter: lines, prettyErrors: false });
  const syntaxErrors = document.errors.map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `${file}:${line}:${col}: ${message}`;
  });
  if (syntaxErrors.length > 0) throw new UsageError(syntaxErrors.slice(0, MAX_SHOWN).join('\n'), 'correct the YAML and try again');
  const parsed = schema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (parsed.success) return parsed.data;
  const errors = errorsOf(parsed.error).map(
    ({ path, message }) => `${file}:${positionOf(document, lines, path)}: ${path.map(String).join('.') || 'the file'}: ${message}`,
  );
  throw new UsageError(errors.slice(0, MAX_SHOWN).join('\n'), 'correct the file and try again; /docs of the platform describes the fields');
};

/** Checks a request that was built from flags. */
export const checkSpec = <S extends z.ZodType>(value: unknown, schema: S): z.output<S> => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = errorsOf(parsed.error).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  throw new UsageError(errors.slice(0, MAX_SHOWN).join('\n'), 'correct this and try again');
};
