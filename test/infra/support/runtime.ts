// Stands in for the runtime of Lambda: imports a bundle and calls its handler with the event that the command line gives.
import { pathToFileURL } from 'node:url';

const [, , bundle = '', event = ''] = process.argv;
const { handler } = await import(pathToFileURL(bundle).href);
// The runtime of Node 24 refuses handlers that could take a callback.
if (handler.length > 2) throw new Error(`The handler takes ${handler.length} arguments`);
const result: unknown = await handler(JSON.parse(event), { getRemainingTimeInMillis: () => 10_000 });
// A connection that the handler keeps open would hold the process, where Lambda freezes it.
process.stdout.write(JSON.stringify(result), () => process.exit(0));
