import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The driver `postgres` has faults that can end or block a process when a connection is lost, and a habit that costs a round trip.
 * This module changes the text of its connection.js when it is loaded, by Node as well as by the bundler of the Lambdas. It knows one
 * version, and refuses every other text.
 */
export const VERSION = '3.4.9';
const SHA256 = 'ee3a218d9aa6a6f2887c1a19da50009335fe84c11a5431d5cab72d6bc528632f';

/** The file to change, as a path or as the path of a URL. */
export const CONNECTION_FILE = /[/\\]node_modules[/\\]postgres[/\\]src[/\\]connection\.js$/;

/** Set by the repaired text, for {@link isRepaired}. */
const MARK = 'multi-agent-on-the-web: postgres 3.4.9 is repaired';

const CHANGES: readonly (readonly [before: string, after: string])[] = [
  // Fault 1: a write is scheduled, the socket closes, and the write throws in a callback of setImmediate, where nobody can catch it.
  // Now what waits for the socket fails with an error of the connection.
  [
    `    const x = socket.write(chunk, fn)
    nextWriteTimer !== null && clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    return x
  }
`,
    `    const bytes = chunk
    forgetWrite()
    if (socket !== null && socket.writable)
      return socket.write(bytes, fn)
    error(Errors.connection('CONNECTION_CLOSED', options))
    return true
  }

  function forgetWrite() {
    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
  }
`,
  ],
  // Fault 2: the timer of a write was cleared but not forgotten, and its bytes were kept. The next socket of this connection then
  // never wrote, or began with what was meant for the last one.
  [
    `    clearImmediate(nextWriteTimer)
    if (socket) {
`,
    `    forgetWrite()
    if (socket) {
`,
  ],
  [
    `    clearImmediate(nextWriteTimer)
    socket.removeListener('data', data)
`,
    `    forgetWrite()
    socket.removeListener('data', data)
`,
  ],
  // Two more of the same kind: a statement that was sent between the error of a socket and its end was never settled, and what was
  // received last was taken for the answer of the first statement on the next socket.
  [
    `    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
`,
    `    ;(query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options))
    query = errorResponse = results = null
    result = new Result()
    rows = 0
`,
  ],
  // The habit: the first use of a statement waited for the types of its parameters. Ours are text, so nothing depends on them.
  [`q.describeFirst = q.onlyDescribe || (parameters.length && !q.prepared)`, `q.describeFirst = q.onlyDescribe`],
];

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** The repaired text of connection.js; throws when the text is not the known one. */
export const repair = (text: string): string => {
  if (sha256(text) !== SHA256)
    throw new Error(
      `connection.js of the package postgres is not that of ${VERSION}; review functions/platform/postgres/repair.ts for the new text`,
    );
  let repaired = text;
  for (const [before, after] of CHANGES) {
    if (repaired.split(before).length !== 2) throw new Error(`The repair of postgres finds this text not exactly once:\n${before}`);
    repaired = repaired.replace(before, () => after);
  }
  return `${repaired}\nglobalThis[Symbol.for('${MARK}')] = true\n`;
};

/** The same of a file, whose package must have the known version. */
export const repairFile = (path: string): string => {
  const { version } = JSON.parse(readFileSync(join(dirname(path), '../package.json'), 'utf8'));
  if (version !== VERSION) throw new Error(`The repair of postgres is for ${VERSION}, and ${version} is installed`);
  return repair(readFileSync(path, 'utf8'));
};

/** Whether the driver of this process was loaded with its repair. */
export const isRepaired = (): boolean => Symbol.for(MARK) in globalThis;

/** Repairs the driver when Node loads it; a bundle has it repaired already. Returns what ends this. */
export const repairOnLoad = (): (() => void) => {
  const hooks = registerHooks({
    load: (url, context, nextLoad) => {
      if (!CONNECTION_FILE.test(url)) return nextLoad(url, context);
      return { format: 'module', source: repairFile(fileURLToPath(url)), shortCircuit: true };
    },
  });
  return () => hooks.deregister();
};
