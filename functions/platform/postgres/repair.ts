import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The driver `postgres` has bugs that can crash or block a process when a connection is lost, and a behaviour that costs a round trip.
 * This module patches the text of its connection.js when it is loaded, by Node as well as by the bundler of the Lambdas. It supports one
 * version and refuses every other text.
 */
export const VERSION = '3.4.9';
const SHA256 = 'ee3a218d9aa6a6f2887c1a19da50009335fe84c11a5431d5cab72d6bc528632f';

/** The file to change, as a path or as the path of a URL. */
export const CONNECTION_FILE = /[/\\]node_modules[/\\]postgres[/\\]src[/\\]connection\.js$/;

/** Set by the repaired text, for {@link isRepaired}. */
const MARK = 'multi-agent-on-the-web: postgres 3.4.9 is repaired';

const CHANGES: readonly (readonly [before: string, after: string])[] = [
  // Bug 1: a write is scheduled, the socket closes, and the write throws in a setImmediate callback, where it cannot be caught.
  // Now the statements that wait for the socket fail with a connection error.
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
  // Bug 2: the timer of a write was cleared but not reset, and its bytes were kept. The next socket of this connection then never wrote,
  // or began with bytes meant for the previous one.
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
  // Two more of this kind: a statement sent between the error of a socket and its close event was never settled, and the data received
  // last was taken for the reply to the first statement on the next socket.
  [
    `    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
`,
    `    ;(query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options))
    query = errorResponse = results = null
    result = new Result()
    rows = 0
`,
  ],
  // The behaviour: the first use of a statement waited for the types of its parameters. Ours are text, so the types are not needed.
  [`q.describeFirst = q.onlyDescribe || (parameters.length && !q.prepared)`, `q.describeFirst = q.onlyDescribe`],
];

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** The repaired text of connection.js; throws if the text is not that of the supported version. */
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

/** The repaired text of a file, whose package must have the supported version. */
export const repairFile = (path: string): string => {
  const { version } = JSON.parse(readFileSync(join(dirname(path), '../package.json'), 'utf8'));
  if (version !== VERSION) throw new Error(`The repair of postgres is for ${VERSION}, and ${version} is installed`);
  return repair(readFileSync(path, 'utf8'));
};

/** Whether the driver of this process was loaded with its repair. */
export const isRepaired = (): boolean => Symbol.for(MARK) in globalThis;

/** Repairs the driver when Node loads it; in a bundle it is already repaired. Returns a function that removes the hook. */
export const repairOnLoad = (): (() => void) => {
  const hooks = registerHooks({
    load: (url, context, nextLoad) => {
      if (!CONNECTION_FILE.test(url)) return nextLoad(url, context);
      return { format: 'module', source: repairFile(fileURLToPath(url)), shortCircuit: true };
    },
  });
  return () => hooks.deregister();
};
