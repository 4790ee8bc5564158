// Builds what `npm pack` takes: the worker with its part of schema/ and its packages in it, since Node strips no types under node_modules.
import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
// Into another folder, when one is given.
const dist = resolve(process.argv[2] ?? join(here, 'dist'));
// The thread is started as a file of its own, which has to lie beside what starts it.
const ENTRIES = { cli: 'src/cli/main.ts', sdk: 'src/sdk.ts', 'heartbeat-thread': 'src/heartbeat/heartbeat-thread.ts' };
// A package in CommonJS requires Node's modules, which an ES module can't by itself.
const BANNER = "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);";

const bundle = () =>
  buildSync({
    absWorkingDir: here,
    entryPoints: ENTRIES,
    outdir: dist,
    bundle: true,
    splitting: true,
    preserveSymlinks: true, // names in the bundle are the same wherever node_modules lies
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    charset: 'utf8',
    metafile: true,
    banner: { js: BANNER },
    logLevel: 'warning',
  });

/** The declarations of what programs may import. */
const declare = () => {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', join(here, 'tsconfig.types.json'), '--outDir', join(dist, 'types')], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('the declarations of types were not written; the compiler says why above');
  const types = join(dist, 'types');
  for (const path of readdirSync(types, { recursive: true }).filter((it) => it.endsWith('.d.ts')))
    writeFileSync(
      join(types, path),
      readFileSync(join(types, path), 'utf8').replaceAll(/(from '\.[^']*|import\('\.[^']*)\.ts'/g, "$1.js'"),
    );
};

/** The licences of the packages that are in the bundle ask to go with it. */
const licences = (inputs) => {
  const packages = [...new Set(inputs.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []))].toSorted((a, b) =>
    a.localeCompare(b),
  );
  const textOf = (name) => {
    const folder = join(root, 'node_modules', name);
    const file = readdirSync(folder).find((it) => /^licen[cs]e/i.test(it));
    if (file === undefined) throw new Error(`${name} is in the bundle and has no licence file; look what it asks for`);
    return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  };
  return packages.map(textOf).join('\n----\n\n');
};

rmSync(dist, { recursive: true, force: true });
const { inputs } = bundle().metafile;
declare();
writeFileSync(join(dist, 'LICENSES.txt'), licences(Object.keys(inputs)));
copyFileSync(join(root, 'LICENSE'), join(here, 'LICENSE'));
