// Replaces the runtime of Lambda: imports a bundle and calls its handler with the event from the command line.
import { pathToFileURL } from 'node:url';

const [, , bundle = '', event = ''] = process.argv;
const { handler } = await import(pathToFileURL(bundle).href);
// The runtime of Node 24 refuses handlers with a callback parameter.
if (handler.length > 2) throw new Error(`The handler takes ${handler.length} arguments`);
const result: unknown = await handler(JSON.parse(event), { getRemainingTimeInMillis: () => 10_000 });
// A connection that the handler keeps open would keep the process alive, which Lambda would freeze.
process.stdout.write(JSON.stringify(result), () => process.exit(0));
