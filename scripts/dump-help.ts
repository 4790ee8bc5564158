import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COMMANDS } from '../worker-agent/src/commands.ts';
import { overview } from '../worker-agent/src/help.ts';

await writeFile(join(import.meta.dirname, '../worker-agent/bin/help.txt'), `${overview(COMMANDS)}\n`);
