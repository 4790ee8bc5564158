import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COMMANDS } from '../worker-agent/src/cli/command-list.ts';
import { overview } from '../worker-agent/src/cli/help.ts';

await writeFile(join(import.meta.dirname, '../worker-agent/bin/help.txt'), `${overview(COMMANDS)}\n`);
