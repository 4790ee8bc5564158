import { readFileSync } from 'node:fs';
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type * as z from 'zod';
import { UsageError } from '../terminal/command-error.ts';

const SHOWN = 20;

const contentOf = (file: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new UsageError(
      `${file} cannot be read: ${(cause as Error).message}`,
      'give the path of a YAML or JSON file, or a goal in quotes',
      { cause },
    );
  }
};

/** Where a path of a document stands, or the nearest thing above it that does. */
const placeOf = (document: Document, lines: LineCounter, path: readonly PropertyKey[]): string => {
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

type Fault = { path: readonly PropertyKey[]; message: string };

const faultsOf = (error: z.ZodError): Fault[] =>
  error.issues.flatMap((issue): Fault[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'there is no such field' }))
      : [{ path: issue.path, message: issue.message }],
  );

/** Reads a YAML or JSON file (- for stdin) and checks it; each fault is told with its line, column and path. */
export const readSpec = <S extends z.ZodType>(file: string, schema: S): z.output<S> => {
  const lines = new LineCounter();
  const document = parseDocument(contentOf(file), { lineCounter: lines, prettyErrors: false });
  const broken = document.errors.map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `${file}:${line}:${col}: ${message}`;
  });
  if (broken.length > 0) throw new UsageError(broken.slice(0, SHOWN).join('\n'), 'mend the YAML and repeat it');
  const parsed = schema.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (parsed.success) return parsed.data;
  const faults = faultsOf(parsed.error).map(
    ({ path, message }) => `${file}:${placeOf(document, lines, path)}: ${path.map(String).join('.') || 'the file'}: ${message}`,
  );
  throw new UsageError(faults.slice(0, SHOWN).join('\n'), 'mend the file and repeat it; /docs of the platform shows the fields');
};

/** Checks what was put together from flags. */
export const checkSpec = <S extends z.ZodType>(value: unknown, schema: S): z.output<S> => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = faultsOf(parsed.error).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  throw new UsageError(faults.slice(0, SHOWN).join('\n'), 'mend that and repeat it');
};
