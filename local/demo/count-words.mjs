// A sample worker script: counts over files and prints the counts as JSON. Uses sets of strings; the demo checks it by sorting.
import { readFileSync } from 'node:fs';

const LONGEST = 12;
const counts = { words: 0, lines: 0, characters: 0, sequences: 0 };

for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8');
  counts.words += (text.match(/[\p{L}\p{N}]+/gu) ?? []).length;
  counts.lines += text.split('\n').length;
  counts.characters += text.length;
  for (let length = 1; length <= LONGEST; length++) {
    const seen = new Set();
    for (let at = 0; at + length <= text.length; at++) seen.add(text.slice(at, at + length));
    counts.sequences += seen.size;
  }
}
process.stdout.write(JSON.stringify(counts));
