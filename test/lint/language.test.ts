import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** Words that a reader stumbles over, with what to write instead. Each matches as whole words, in any case. */
const BANNED: [words: string, instead: string][] = [
  ['anew', 'again'],
  ['(?:is|are|was|were|be|been|being) away', 'is unavailable'],
  ['for ever', 'forever, without limit'],
  ['heard', 'received, was last seen'],
  ['journal', 'log'],
  ['just now', 'currently'],
  ['lives', 'is, is kept, runs'],
  ['mend|mends|mended|mending', 'fix, correct'],
  ['must be there', 'is required'],
  ['not known here', 'unknown'],
  ['noted', 'recorded'],
  ['over again', 'again'],
  ['says', 'states, returns, describes'],
  ['so many', 'the number itself'],
  ['speak of|speaks of|spoke of', 'describes, refers to'],
  ['tells', 'reports, returns, shows'],
  ['told', 'reported, notified'],
  ['what runs goes on', 'running subtasks continue'],
  ['whoever', 'the caller, the process that'],
];

/** Where the words are not used. `allowed` names the words that a file still may have; it is empty in the end. */
type Area = { name: string; files: string[]; allowed?: Record<string, string[]> };

const DOCUMENTS: Area = { name: 'the documents', files: ['README.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'worker-agent/README.md'] };

const source = (folder: string, deep = '**/*'): Area => ({ name: folder, files: [`${folder}/${deep}.{ts,mjs,sql,json,html}`] });

/** Folders of code, with their comments, texts, names and test names. Migrations are left out: one that was merged never changes. */
const FOLDERS: Area[] = [
  { name: 'schema', files: ['schema/*.ts', 'schema/{client,env}/**/*.ts'] },
  source('schema/routes'),
  source('schema/transitions'),
  source('functions', '*'),
  ...['domain', 'http', 'platform', 'queue', 'schedule', 'socket'].map((it) => source(`functions/${it}`)),
  ...['src', 'bin'].map((it) => source(`worker-agent/${it}`)),
  source('worker-agent', '*'),
  ...['local', 'infra', 'deploy', 'bench'].map((it) => source(it)),
  ...[
    'chaos',
    'conformance',
    'deployed',
    'e2e',
    'functions',
    'infra',
    'lint',
    'load',
    'local',
    'mutants',
    'schema',
    'support',
    'worker-agent',
  ].map((it) => source(`test/${it}`)),
  { name: 'settings', files: ['.env.example', '*.yaml', '*.json', '*.ts', 'Dockerfile', 'worker-agent/Dockerfile', '.oxlintrc.json'] },
  { name: 'CI', files: ['.ci/*', '.github/**/*.yml', '.githooks/*'] },
];

/** These lists have the words themselves. */
const EXEMPT = ['test/lint/language.test.ts', 'package-lock.json'];

const withoutCode = (text: string) => text.replaceAll(/```[\s\S]*?```/g, '').replaceAll(/`[^`\n]*`/g, '');

/** What stands between two words, also at the end of a line of a comment. */
const GAP = /\s+(?:[*/-]+\s+)?/g;
const banned = new RegExp(`\\b(?:${BANNED.map(([words]) => words.replaceAll(' ', GAP.source)).join('|')})\\b`, 'gi');
const insteadOf = (found: string) => BANNED.find(([words]) => new RegExp(`^(?:${words})$`, 'i').test(found))?.[1];

const findIn = ({ files, allowed = {} }: Area): string[] =>
  globSync(files, { cwd: ROOT, exclude: ['**/node_modules/**'] })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !EXEMPT.includes(file))
    .toSorted()
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8');
      const prose = file.endsWith('.md') ? withoutCode(text) : text;
      return [...prose.matchAll(banned)]
        .map(([found]) => found.toLowerCase().replaceAll(GAP, ' '))
        .filter((found) => !allowed[file]?.includes(found))
        .map((found) => `${file}: "${found}"; write: ${insteadOf(found)}`);
    });

describe('plain English', () => {
  it.each([DOCUMENTS, ...FOLDERS])('is used in $name', (area) => {
    expect(findIn(area)).toEqual([]);
  });
});

describe('the search for words to avoid', () => {
  it.each([
    ['an archaic word', 'Starts it anew.', 'anew'],
    ['a phrase over two lines of a comment', ' * It waits for\n * ever.', 'for ever'],
    ['a word with a capital', 'Whoever asks', 'Whoever'],
  ])('finds %s', (_, text, found) => {
    expect(text.match(banned)?.map((it) => it.replaceAll(GAP, ' '))).toEqual([found]);
  });

  it('passes over longer words, and over code in a document', () => {
    expect('recommended, renew, foretold'.match(banned)).toBeNull();
    expect(withoutCode('`note_sweep` and `was told`')).not.toMatch(banned);
  });
});
