// A sample worker script: reads the results of earlier steps from standard input and prints a digest of them.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { inputs } = JSON.parse(readFileSync(0, 'utf8'));
const lines = Object.entries(inputs)
  .flatMap(([key, counts]) => Object.entries(counts).map(([name, count]) => `${key}.${name}=${count}`))
  .toSorted();
process.stdout.write(JSON.stringify({ lines: lines.length, sha256: createHash('sha256').update(lines.join('\n')).digest('hex') }));
