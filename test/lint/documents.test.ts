import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const COLUMNS = 100;

const DOCUMENTS = globSync(['README.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'worker-agent/README.md'], { cwd: ROOT })
  .map((file) => file.replaceAll('\\', '/'))
  .toSorted();

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const withoutBlocks = (text: string) => text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');

/** The part of a link after `#`, as GitHub makes it from a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
const anchorsOf = (file: string) => [...withoutBlocks(read(file)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

/** Tables, headings, indented formulas and what can't be broken may be longer. */
const mayBeLong = (line: string) =>
  /^(?: *\||#| {4}\S)/.test(line) ||
  !line
    .trim()
    .replace(/^(?:[-*]|\d+\.) /, '')
    .includes(' ');

const isLinkGood = (file: string, link: string): boolean => {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : join(dirname(file), path).replaceAll('\\', '/');
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || anchorsOf(target).includes(anchor);
};

/** Files of the repository that a document names as code; patterns such as `<noun>`, `*` and NNNN are left out. */
const namedFiles = (text: string) =>
  [...withoutBlocks(text).matchAll(/`((?:schema|functions|worker-agent|local|infra|deploy|bench|test|scripts)\/[\w./-]+)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !path.includes('NNNN'));

describe.each(DOCUMENTS)('%s', (file) => {
  it('is wrapped at 100 columns', () => {
    const lines = withoutBlocks(read(file)).split('\n');

    expect(lines.filter((line) => [...line].length > COLUMNS && !mayBeLong(line))).toEqual([]);
  });

  it('links to files and headings that exist', () => {
    const links = [...withoutBlocks(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);

    expect(links.filter((link) => !/^[a-z]+:/.test(link) && !isLinkGood(file, link))).toEqual([]);
  });

  it('names files that exist', () => {
    const missing = namedFiles(read(file)).filter((path) => !existsSync(join(ROOT, path)));

    expect(missing).toEqual([]);
  });
});

describe('docs/decisions', () => {
  it('are numbered without gaps, each as its file', () => {
    const files = DOCUMENTS.filter((file) => file.startsWith('docs/decisions/'));

    expect(files.map((file) => /(\d{4})-/.exec(file)?.[1])).toEqual(files.map((_, at) => String(at + 1).padStart(4, '0')));
    for (const [at, file] of files.entries()) expect(read(file)).toMatch(new RegExp(`^# ${at + 1}\\. `));
  });
});

describe('docs/glossary.md', () => {
  const terms = [...read('docs/glossary.md').matchAll(/^\| ([^|]+?) \|/gm)].map(([, term = '']) => term);

  it.each([
    'lease',
    'fence',
    'attempt',
    'run',
    'turn',
    'doorbell',
    'hint',
    'spool',
    'sweep',
    'generation',
    'outbox',
    'lane',
    'shared statement',
  ])('explains %s', (term) => {
    expect(terms).toContain(term);
  });
});
