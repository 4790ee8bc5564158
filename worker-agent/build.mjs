// Builds the files for `npm pack`: the worker bundled with its part of schema/ and its packages. Node does not strip types under node_modules.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
// The output folder may be given as an argument.
const dist = resolve(process.argv[2] ?? join(here, 'dist'));
// The heartbeat thread is started from its own file, which must be in the same folder as the code that starts it.
const ENTRIES = { cli: 'src/cli/main.ts', sdk: 'src/sdk.ts', 'heartbeat-thread': 'src/heartbeat/heartbeat-thread.ts' };
// Bundled CommonJS packages call require() for Node's modules; an ES module has no require of its own.
const BANNER = "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);";

const bundle = () =>
  buildSync({
    absWorkingDir: here,
    entryPoints: ENTRIES,
    outdir: dist,
    bundle: true,
    splitting: true,
    preserveSymlinks: true, // keeps the names in the bundle independent of the location of node_modules
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    charset: 'utf8',
    metafile: true,
    banner: { js: BANNER },
    logLevel: 'warning',
  });

/** Writes the type declarations of the SDK. */
const declare = () => {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', join(here, 'tsconfig.types.json'), '--outDir', join(dist, 'types')], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('the type declarations were not written; see the errors of the compiler above');
  const types = join(dist, 'types');
  for (const path of readdirSync(types, { recursive: true }).filter((it) => it.endsWith('.d.ts')))
    writeFileSync(
      join(types, path),
      readFileSync(join(types, path), 'utf8').replaceAll(/(from '\.[^']*|import\('\.[^']*)\.ts'/g, "$1.js'"),
    );
};

/** The licence texts of the bundled packages, which have to be distributed with the bundle. */
const licences = (inputs) => {
  const packages = [...new Set(inputs.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []))].toSorted((a, b) =>
    a.localeCompare(b),
  );
  const textOf = (name) => {
    const folder = join(root, 'node_modules', name);
    const file = readdirSync(folder).find((it) => /^licen[cs]e/i.test(it));
    if (file === undefined) throw new Error(`${name} is in the bundle and has no licence file; check which licence it uses`);
    return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  };
  return packages.map(textOf).join('\n----\n\n');
};

rmSync(dist, { recursive: true, force: true });
const { inputs } = bundle().metafile;
declare();
writeFileSync(join(dist, 'LICENSES.txt'), licences(Object.keys(inputs)));
copyFileSync(join(root, 'LICENSE'), join(here, 'LICENSE'));
